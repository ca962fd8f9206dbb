"""The frozen records that travel between the lanes. An unknown figure is None, never zero."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from core.models.database import (
    RAW_TABLES,
    Capability,
    ChunkInfo,
    DatabaseState,
    DatabaseView,
    HealthCheck,
    HypertableInfo,
    JobInfo,
    PoolInfo,
    StorageMode,
    WriterStats,
    keep_time,
    past_retention,
)
from core.models.fleet import EventLine, FleetView, PollerRole
from core.models.hosts import (
    DiskFigures,
    FilesystemFigures,
    Host,
    HostHistory,
    HostKeyReview,
    HostSample,
    HostState,
    HostView,
    InterfaceFigures,
    Reason,
    SecretRequest,
    SectionStatus,
    SystemFigures,
    Transition,
)
from core.models.inspection import HostFinding, PollingFigures, PollingView

if TYPE_CHECKING:
    from core.models.findings import (
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
        ServiceFigures,
        SessionFigures,
        UpdateFigures,
        VdevFigures,
        ZfsFigures,
    )
    from core.models.operations import Outcome, Plan, PlanRequest, PlanTarget

__all__ = [
    "RAW_TABLES",
    "Capability",
    "CheckFigures",
    "ChunkInfo",
    "ContainerFigures",
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
    "HostSample",
    "HostState",
    "HostView",
    "HypertableInfo",
    "InterfaceFigures",
    "JobInfo",
    "Level",
    "Outcome",
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
    "Reason",
    "SecretRequest",
    "SectionStatus",
    "ServiceFigures",
    "SessionFigures",
    "StorageMode",
    "SystemFigures",
    "Transition",
    "UpdateFigures",
    "VdevFigures",
    "WriterStats",
    "ZfsFigures",
    "keep_time",
    "past_retention",
]

# Making a frozen class takes a millisecond: what the first paint does not show is made when it is first asked for.
_FINDINGS = (
    "CheckFigures ContainerFigures DatasetFigures DriveFigures Finding Level Perfdatum PoolFigures "
    "PortFigures ProcessFigures ServiceFigures SessionFigures UpdateFigures VdevFigures ZfsFigures"
)
_LATER = {
    **dict.fromkeys(_FINDINGS.split(), "core.models.findings"),
    **dict.fromkeys(("Outcome", "Plan", "PlanRequest", "PlanTarget"), "core.models.operations"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value
