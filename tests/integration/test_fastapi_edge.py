"""core under FastAPI: sessions by Depends, and the exceptions become HTTP at that one edge."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from core import exceptions as errors
from core.config import DatabaseSettings, RetentionSettings
from core.database import (
    check_database_health,
    close_database,
    get_async_engine,
    get_async_session,
    get_database,
    get_db_session,
    init_database,
)
from tests.parts import need
from tests.storage import plain_server
from tests.storage.plain_server import PASSWORD, PlainServer

# The first that fits counts, so narrower classes stand above wider ones.
STATUS: tuple[tuple[type[errors.InfrastructureException], int], ...] = (
    (errors.ResourceNotFoundError, 404),
    (errors.DeviceNotFoundError, 404),
    (errors.ResourceConflictError, 409),
    (errors.BusinessLogicError, 409),
    (errors.ValidationError, 422),
    (errors.DatabaseTimeoutError, 504),
    (errors.SSHTimeoutError, 504),
    (errors.DatabaseConnectionError, 503),
    (errors.DeviceOfflineError, 503),
    (errors.SSHConnectionError, 502),
    (errors.SSHAuthenticationError, 502),
    (errors.SSHHostKeyError, 502),
    (errors.SSHCommandError, 502),
    (errors.ExternalServiceError, 502),
)
CONFLICTS = {"23505", "23P01"}  # a row of that key is there already

# Ended when the function returns, before the answer is sent: a commit that fails still reaches the client.
Session = Annotated[AsyncSession, Depends(get_db_session, scope="function")]


def status_of(error: errors.InfrastructureException) -> int:
    if error.details.get("sqlstate") in CONFLICTS:
        return 409
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def make_app() -> FastAPI:
    app = FastAPI()

    @app.exception_handler(errors.InfrastructureException)
    async def told(request: Request, error: errors.InfrastructureException) -> JSONResponse:
        return JSONResponse(error.to_dict(), status_code=status_of(error))

    @app.post("/things/{number}")
    async def add(number: int, session: Session, fail: str = "") -> dict[str, int]:
        await session.execute(text("INSERT INTO things (number) VALUES (:n)"), {"n": number})
        if fail == "http":
            raise HTTPException(418, "the endpoint's own")
        if fail == "file":
            Path("/no/such/file").read_text()  # nothing of the database's
        return {"number": number}

    @app.get("/things/{number}")
    async def find(number: int, session: Session) -> dict[str, int]:
        found = await session.scalar(text("SELECT number FROM things WHERE number = :n"), {"n": number})
        if found is None:
            raise errors.ResourceNotFoundError(f"there is no thing {number}", operation="find")
        return {"number": found}

    @app.get("/slow")
    async def slow(session: Session) -> None:
        await session.execute(text("SELECT pg_sleep(30)"))

    @app.get("/raise/{name}")
    async def fail(name: str, session: Session) -> None:
        kind: type[errors.InfrastructureException] = getattr(errors, name)
        raise kind(f"no: postgresql://u:{'hunter2'}@h/d", details={"password": "hunter2", "body": "x" * 5000})

    @app.get("/health")
    async def health() -> JSONResponse:
        checks = await check_database_health()
        bad = any(check.ok is False for check in checks)
        return JSONResponse({check.name: check.text for check in checks}, status_code=503 if bad else 200)

    return app


@pytest.fixture(scope="module")
def plain() -> Iterator[PlainServer]:
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    server.sql("CREATE TABLE things (number int UNIQUE DEFERRABLE INITIALLY DEFERRED CHECK (number > 0))", "plain")
    server.sql("GRANT ALL ON things TO owner", "plain")
    yield server
    server.stop()


@pytest.fixture
async def client(plain: PlainServer) -> AsyncIterator[httpx.AsyncClient]:
    settings = DatabaseSettings(
        url=SecretStr(plain.url()), statement_timeout_s=0.3, pool_size=2, max_overflow=0, pool_timeout_s=0.2
    )
    await init_database(settings, RetentionSettings())
    async with get_async_session() as session:
        await session.execute(text("TRUNCATE things"))
    transport = httpx.ASGITransport(app=make_app(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://jumpwatch") as found:
        yield found
    await close_database()


def _out() -> int:
    pool = get_database().pool()
    assert pool is not None
    return pool.checked_out


async def _count() -> int:
    async with get_async_session() as session:
        return int(await session.scalar(text("SELECT count(*) FROM things")) or 0)


async def test_a_request_is_a_transaction(client: httpx.AsyncClient) -> None:
    assert (await client.post("/things/1")).json() == {"number": 1}
    assert (await client.get("/things/1")).status_code == 200
    assert (await client.post("/things/2?fail=http")).status_code == 418
    assert await _count() == 1 and _out() == 0  # the second one was rolled back, and no session is kept


async def test_what_the_server_refuses_reaches_the_client(client: httpx.AsyncClient) -> None:
    await client.post("/things/1")
    twice = await client.post("/things/1")  # its constraint is looked at when the transaction ends
    assert twice.status_code == 409 and twice.json()["details"]["sqlstate"] == "23505"
    refused = await client.post("/things/-1")
    assert refused.status_code == 500 and refused.json()["error_code"] == "DATABASE_POISON_ROW"
    missing = await client.get("/things/7")
    assert missing.status_code == 404 and missing.json()["message"] == "there is no thing 7"
    assert await _count() == 1 and _out() == 0


async def test_the_endpoints_own_errors_are_not_the_databases(client: httpx.AsyncClient) -> None:
    answer = await client.post("/things/3?fail=file")
    assert answer.status_code == 500 and "error_code" not in answer.text
    assert await _count() == 0 and _out() == 0


async def test_a_slow_statement_and_a_full_pool_are_timeouts(client: httpx.AsyncClient) -> None:
    slow = await client.get("/slow")
    assert slow.status_code == 504 and slow.json()["details"]["timeout_seconds"] == pytest.approx(0.3)
    engine = get_async_engine()
    async with engine.connect(), engine.connect():
        full = await client.get("/things/1")
    assert full.status_code == 504 and "POOL_SIZE" in full.json()["message"]
    assert (await client.get("/things/1")).status_code == 404  # and it recovers


async def test_a_database_that_is_away_is_503(client: httpx.AsyncClient, plain: PlainServer) -> None:
    plain.sql("ALTER ROLE owner NOLOGIN")
    try:
        await get_async_engine().dispose()
        away = await client.get("/things/1")
        assert away.status_code == 503 and away.json()["error"] == "DatabaseConnectionError"
        assert (await client.get("/health")).status_code == 503
    finally:
        plain.sql("ALTER ROLE owner LOGIN")
    assert (await client.get("/things/1")).status_code == 404
    assert (await client.get("/health")).json()["connection"]


@pytest.mark.parametrize(("kind", "status"), [(kind.__name__, status) for kind, status in STATUS])
async def test_each_kind_has_its_status_and_no_secret(client: httpx.AsyncClient, kind: str, status: int) -> None:
    answer = await client.get(f"/raise/{kind}")
    assert answer.status_code == status and answer.json()["error"] == kind
    assert "hunter2" not in answer.text and PASSWORD not in answer.text and len(answer.content) <= 1100


def test_core_knows_no_web_framework() -> None:
    root = Path(errors.__file__).parent
    names: set[str] = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            found: list[Any] = node.names if isinstance(node, ast.Import) else []
            names |= {alias.name.partition(".")[0] for alias in found}
            if isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    assert "sqlalchemy" in names and not names & {"fastapi", "starlette", "httpx"}
