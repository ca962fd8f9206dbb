"""Sources of settings: their order for every pair, and files that are refused."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from core.config import ApplicationSettings, PollingSettings, get_settings, load_settings
from core.exceptions import ConfigurationError
from tests.config.sources import ORDER, Sources

PLACES: dict[str, tuple[str, str]] = {
    "scalar": ("polling", "interval_s"),
    "list": ("api", "cors_origins"),
    "secret": ("auth", "secret_key"),
}
VALUES: dict[str, dict[str, object]] = {
    "scalar": {"flag": 11, "env": 12, "dotenv": 13, "toml": 14},
    "list": {source: [f"https://{source}.example", "https://b.example:8443"] for source in ORDER},
    "secret": {source: f'of {source}\'s own \\ "x"' for source in ORDER},
}


def read(settings: ApplicationSettings, kind: str) -> Any:
    section, field = PLACES[kind]
    value = getattr(getattr(settings, section), field)
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def written(kind: str, source: str) -> Any:
    if source == "default":
        return {"scalar": 10, "list": (), "secret": None}[kind]
    value = VALUES[kind][source]
    return tuple(value) if isinstance(value, list) else value


@pytest.mark.parametrize("kind", list(PLACES))
@pytest.mark.parametrize(("higher", "lower"), list(itertools.combinations((*ORDER, "default"), 2)))
def test_of_every_pair_the_higher_source_wins(sources: Sources, higher: str, lower: str, kind: str) -> None:
    for source in (lower, higher):
        sources.put(source, *PLACES[kind], VALUES[kind].get(source))
    settings = sources.load()
    assert read(settings, kind) == written(kind, higher)
    assert settings.polling.backoff_max_s == 300  # its neighbours stay as they are
    places = {"flag": "flag", "env": "environment", "dotenv": str(sources.dotenv), "toml": str(sources.toml)}
    assert settings.origins[".".join(PLACES[kind])] == places[higher]


@pytest.mark.parametrize("text", ["https://a.example,https://b.example", ' ["https://a.example", "https://b.example"] ',
                                  " https://a.example , https://b.example/ ,"])  # fmt: skip
@pytest.mark.parametrize("variable", ["JUMPWATCH_API_CORS_ORIGINS", "CORS_ORIGINS"])
def test_lists_are_json_or_words_with_commas(sources: Sources, variable: str, text: str) -> None:
    assert sources.load({variable: text}).api.cors_origins == ("https://a.example", "https://b.example")
    sources.dotenv.touch(mode=0o600)
    sources.dotenv.write_text(f"{variable}='{text}'\n")
    assert sources.load().api.cors_origins == ("https://a.example", "https://b.example")
    assert sources.load({variable: "[]"}).api.cors_origins == ()  # a list is emptied by an empty list


def test_the_prefixed_name_wins_in_its_source_alone(sources: Sources) -> None:
    both = {"CORS_ORIGINS": "https://plain.example", "JUMPWATCH_API_CORS_ORIGINS": "https://ours.example"}
    assert sources.load(both).api.cors_origins == ("https://ours.example",)
    sources.put("dotenv", "api", "cors_origins", ["https://file.example"])
    assert sources.load({"CORS_ORIGINS": "https://plain.example"}).api.cors_origins == ("https://plain.example",)


@pytest.mark.parametrize("text", ["ftp://a", "https://a/path", '["https://a"', "[1]", "null", "https://u@a", "[[[["])
def test_a_wrong_list_is_refused_under_both_its_names(sources: Sources, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"JUMPWATCH_API_CORS_ORIGINS \(or CORS_ORIGINS\)"):
        sources.load({"CORS_ORIGINS": text})


def test_a_lower_source_fills_what_a_higher_one_leaves(sources: Sources) -> None:
    sources.put("toml", "database", "host", "db.example")
    sources.put("dotenv", "database", "user", "watch")
    sources.put("env", "database", "password", "p@ss/w:rd")
    sources.put("flag", "database", "name", "other")
    database = sources.load().database
    url = database.database_url
    assert (url.host, url.username, url.password, url.database) == ("db.example", "watch", "p@ss/w:rd", "other")
    assert "p@ss" not in f"{url}{database!r}{database.label}"


def test_a_url_above_forgets_the_server_below(sources: Sources) -> None:
    sources.put("toml", "database", "host", "old.example")
    sources.put("dotenv", "database", "password", "of-the-old-one")
    sources.put("env", "database", "url", "postgresql://me@new.example/db")
    database = sources.load().database
    assert (database.host, database.password) == ("new.example", None)


def test_a_password_beside_a_url_is_used(sources: Sources) -> None:
    sources.put("env", "database", "password", "secret")
    sources.put("flag", "database", "url", "postgresql://me@new.example/db")
    database = sources.load().database
    assert database.password is not None and database.password.get_secret_value() == "secret"


def test_a_part_above_a_url_wins(sources: Sources) -> None:
    sources.put("toml", "database", "url", "postgresql://me:pw@db.example:6000/db")
    sources.put("env", "database", "port", 6001)
    database = sources.load().database
    assert (database.host, database.port, database.user) == ("db.example", 6001, "me")


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        PollingSettings().interval_s = 3  # type: ignore[misc]


def test_every_problem_of_every_source_is_told_at_once(sources: Sources) -> None:
    sources.put("flag", "polling", "interval_s", 0)
    sources.put("env", "database", "port", 70000)
    sources.put("env", "database", "password", "hunter2\0")
    sources.put("dotenv", "", "environment", "prod")
    sources.put("toml", "ssh", "usr", "me")
    with pytest.raises(ConfigurationError) as caught:
        sources.load()
    problems = caught.value.details["problems"]
    wanted = ("INTERVAL_S is 0 (flag)", "PORT is 70000", "DATABASE_PASSWORD is ***", "ENVIRONMENT is prod", "ssh.usr (")
    assert len(problems) == len(wanted) and all(any(word in problem for problem in problems) for word in wanted)
    assert "hunter2" not in f"{caught.value} {problems} {caught.value.to_dict()}"


def test_unknown_keys_of_files_are_named_with_a_hint(sources: Sources) -> None:
    (sources.folder / "config.toml").write_text("enviroment = 'x'\n[poling]\n[polling]\nintervall_s = 3\n")
    with pytest.raises(ConfigurationError) as caught:
        sources.load()
    for word in ("enviroment (did you mean environment?)", "[poling] (did you mean polling?)", "interval_s?"):
        assert word in caught.value.message
    (sources.folder / "config.toml").unlink()
    sources.put("dotenv", "poling", "interval_s", 3)
    with pytest.raises(ConfigurationError, match=r"JUMPWATCH_POLING_INTERVAL_S .*JUMPWATCH_POLLING_INTERVAL_S"):
        sources.load()


def test_unknown_variables_are_noticed_not_fatal(sources: Sources) -> None:
    sources.env |= {"JUMPWATCH_DATABASE_PASWORD": "hunter2", "JUMPWATCH_TEST_REQUIRE": "all", "JUMPWATCH_X": "1"}
    notices = sources.load().notices
    assert len(notices) == 2 and "JUMPWATCH_DATABASE_PASSWORD?" in notices[0] and "hunter2" not in str(notices)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[polling]\ninterval_s = 1\n[ssh]\n[polling]\n", r"\[polling\] stands in line 1 and again in line 4"),
        ("[database]\npassword = 'hunter2'\n\"password\" = 'x'\n", r"database\.password .* line 2 .* line 3"),
    ],
)
def test_what_stands_twice_in_toml_is_named_without_its_value(sources: Sources, text: str, named: str) -> None:
    sources.toml.write_text(text)
    with pytest.raises(ConfigurationError, match=named) as caught:
        sources.load()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["JUMPWATCH_SSH_USER=a\nJUMPWATCH_SSH_USER=b\n", "A=1\n'hunter2\n"])
def test_a_dotenv_that_is_not_clear_is_refused(sources: Sources, text: str) -> None:
    sources.dotenv.touch(mode=0o600)
    sources.dotenv.write_text(text)
    with pytest.raises(ConfigurationError, match=r"\.env: line 2") as caught:
        sources.load()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["[polling\n", "polling = 3\n", "[polling.interval_s]\na = 1\n", "\xff"])
def test_a_broken_file_is_named(sources: Sources, text: str) -> None:
    (sources.folder / "config.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"config\.toml"):
        sources.load()


def test_a_file_that_is_far_too_large_is_refused_not_cut(sources: Sources) -> None:
    sources.toml.write_text("[polling]\ninterval_s = 7\n" + "#" * (1 << 20))
    with pytest.raises(ConfigurationError, match="larger than"):
        sources.load()


def test_a_named_file_must_exist(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(env=sources.env, config_file=tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match="does not exist"):
        load_settings(env={**sources.env, "JUMPWATCH_CONFIG_FILE": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_dotenv_that_others_may_write_is_refused(sources: Sources, mode: int) -> None:
    sources.put("dotenv", "polling", "interval_s", 3)
    (sources.folder / ".env").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod go-w"):
        sources.load()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_dotenv_of_somebody_else_is_refused(sources: Sources) -> None:
    sources.put("dotenv", "polling", "interval_s", 3)
    os.chown(sources.folder / ".env", 12345, 12345)
    with pytest.raises(ConfigurationError, match="belongs to user id 12345"):
        sources.load()


def test_folders_follow_xdg(tmp_path: Path) -> None:
    settings = load_settings(env={"HOME": "/h", "XDG_DATA_HOME": str(tmp_path), "XDG_STATE_HOME": "relative"})
    assert settings.data_dir == tmp_path / "jumpwatch"
    assert settings.state_dir == Path("/h/.local/state/jumpwatch")
    assert settings.inventory_file == Path("/h/.config/jumpwatch/hosts.toml")
    assert settings.log_file == Path("/h/.local/state/jumpwatch/jumpwatch.log")
    assert load_settings(env={"HOME": "/h", "JUMPWATCH_DATA_DIR": "/d"}).data_dir == Path("/d")


@pytest.mark.parametrize("variable", ["JUMPWATCH_CONFIG_DIR", "JUMPWATCH_CONFIG_FILE", "XDG_STATE_HOME", "HOME"])
def test_a_folder_that_cannot_be_is_refused_before_it_is_opened(variable: str) -> None:
    with pytest.raises(ConfigurationError, match=variable):
        load_settings(env={"HOME": "/x"} | {variable: "/a\0b"})


def test_get_settings_is_one_object_until_cleared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("JUMPWATCH_POLLING_INTERVAL_S", "7")
    get_settings.cache_clear()
    try:
        assert get_settings() is get_settings() and get_settings().polling.interval_s == 7
        assert PollingSettings().interval_s == 7  # a section alone reads the environment too
        assert ApplicationSettings().polling.interval_s == 7  # and so do all together
    finally:
        get_settings.cache_clear()
