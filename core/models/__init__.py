"""The frozen records that travel between the lanes. An unknown figure is None, never zero."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.models.alerts import Alert, AlertChange, AlertState
    from core.models.database import (
        RAW_TABLES,
        Capability,
        ChunkInfo,
        HealthCheck,
        HypertableInfo,
        JobInfo,
        PoolInfo,
        compress_time,
        keep_time,
        past_retention,
    )
    from core.models.database_view import DatabaseState, DatabaseView, WriterStats
    from core.models.enums import HostState, MarkKind, Reason, SectionStatus, StorageMode
    from core.models.findings import (
        CertificateFigures,
        CheckFigures,
        ContainerFigures,
        DatasetFigures,
        DriveFigures,
        Finding,
        Level,
        Perfdatum,
        PoolFigures,
        PortFigures,
        ProcessFigures,
        ProxiesFigures,
        ProxyFigures,
        ServiceFigures,
        SessionFigures,
        UpdateFigures,
        VdevFigures,
        ZfsFigures,
    )
    from core.models.fleet import EventLine, FleetView, PollerRole
    from core.models.hosts import (
        DiskFigures,
        FilesystemFigures,
        Host,
        HostHistory,
        HostKeyReview,
        HostPlot,
        HostSample,
        HostView,
        InterfaceFigures,
        SecretRequest,
        SystemFigures,
        Transition,
    )
    from core.models.hostwork import HostResult, LogFeed, LogRecord, LogSource, SavedCommand
    from core.models.inspection import HostFinding, PollingFigures, PollingView
    from core.models.items import ContainerUse, ItemHistory, ItemPlot, ItemSample, UnitUse, container_names, figures_in
    from core.models.operations import Outcome, Plan, PlanRequest, PlanTarget
    from core.models.replay import Mark, PastView, ReplayStatus, Timeline
    from core.models.upkeep import ActivityView, IndexInfo, RelationFacts, RelationInfo, SessionInfo, SessionKind

__all__ = [
    "RAW_TABLES",
    "ActivityView",
    "Alert",
    "AlertChange",
    "AlertState",
    "Capability",
    "CertificateFigures",
    "CheckFigures",
    "ChunkInfo",
    "ContainerFigures",
    "ContainerUse",
    "DatabaseState",
    "DatabaseView",
    "DatasetFigures",
    "DiskFigures",
    "DriveFigures",
    "EventLine",
    "FilesystemFigures",
    "Finding",
    "FleetView",
    "HealthCheck",
    "Host",
    "HostFinding",
    "HostHistory",
    "HostKeyReview",
    "HostPlot",
    "HostResult",
    "HostSample",
    "HostState",
    "HostView",
    "HypertableInfo",
    "IndexInfo",
    "InterfaceFigures",
    "ItemHistory",
    "ItemPlot",
    "ItemSample",
    "JobInfo",
    "Level",
    "LogFeed",
    "LogRecord",
    "LogSource",
    "Mark",
    "MarkKind",
    "Outcome",
    "PastView",
    "Perfdatum",
    "Plan",
    "PlanRequest",
    "PlanTarget",
    "PollerRole",
    "PollingFigures",
    "PollingView",
    "PoolFigures",
    "PoolInfo",
    "PortFigures",
    "ProcessFigures",
    "ProxiesFigures",
    "ProxyFigures",
    "Reason",
    "RelationFacts",
    "RelationInfo",
    "ReplayStatus",
    "SavedCommand",
    "SecretRequest",
    "SectionStatus",
    "ServiceFigures",
    "SessionFigures",
    "SessionInfo",
    "SessionKind",
    "StorageMode",
    "SystemFigures",
    "Timeline",
    "Transition",
    "UnitUse",
    "UpdateFigures",
    "VdevFigures",
    "WriterStats",
    "ZfsFigures",
    "compress_time",
    "container_names",
    "figures_in",
    "keep_time",
    "past_retention",
]

# Making a frozen class takes a millisecond: what the first paint does not show is made when it is first asked for.
_LATER = {
    name: f"core.models.{module}"
    for module, names in {
        "alerts": "Alert AlertChange AlertState",
        "database": (
            "RAW_TABLES Capability ChunkInfo HealthCheck HypertableInfo JobInfo PoolInfo "
            "compress_time keep_time past_retention"
        ),
        "database_view": "DatabaseState DatabaseView WriterStats",
        "enums": "HostState MarkKind Reason SectionStatus StorageMode",
        "findings": (
            "CertificateFigures CheckFigures ContainerFigures DatasetFigures DriveFigures Finding Level "
            "Perfdatum PoolFigures PortFigures ProcessFigures ProxiesFigures ProxyFigures "
            "ServiceFigures SessionFigures UpdateFigures VdevFigures ZfsFigures"
        ),
        "fleet": "EventLine FleetView PollerRole",
        "hosts": (
            "DiskFigures FilesystemFigures Host HostHistory HostKeyReview HostPlot HostSample HostView "
            "InterfaceFigures SecretRequest SystemFigures Transition"
        ),
        "hostwork": "HostResult LogFeed LogRecord LogSource SavedCommand",
        "inspection": "HostFinding PollingFigures PollingView",
        "items": "ContainerUse ItemHistory ItemPlot ItemSample UnitUse container_names figures_in",
        "operations": "Outcome Plan PlanRequest PlanTarget",
        "replay": "Mark PastView ReplayStatus Timeline",
        "upkeep": "ActivityView IndexInfo RelationFacts RelationInfo SessionInfo SessionKind",
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value
