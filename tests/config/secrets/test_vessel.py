"""The sealed file: what is in it, who can read it, and that it is whole whatever happens."""

import json
import stat
import subprocess
import sys
import threading
from base64 import b64encode
from pathlib import Path

import pytest

from onemcp.config.secrets.key import Key, KeyPlace
from onemcp.config.secrets.provider import SecretError
from onemcp.config.secrets.sealed import Sealed, SealedConfig, vessel
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vessel import Vessel

NOW = "2026-01-31T12:00:00Z"


def made(folder: Path) -> Vessel:
    return Vessel(folder / "secrets.sealed", KeyPlace(folder / "secrets.key"))


def text(kept: Vessel, name: str) -> str | None:
    found = kept.get(name)
    return found[0].reveal() if found is not None else None


def test_what_is_set_is_there_in_versions(tmp_path: Path) -> None:
    kept = made(tmp_path)
    assert kept.get("a") is None
    assert [kept.set("a", Secret(value), NOW) for value in ("one", "two")] == [1, 2]
    assert text(made(tmp_path), "a") == "two"
    assert {name: entry.version for name, entry in kept.entries().items()} == {"a": 2}
    assert kept.remove("a")
    assert not kept.remove("a")
    assert kept.get("a") is None


def test_both_files_are_their_owners_alone_and_show_nothing(tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.set("a", Secret("canary"), NOW)
    for path in (kept.path, kept.place.file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "canary" not in path.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secrets.key", "secrets.sealed"]


def test_the_same_secret_twice_looks_different(tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.set("a", Secret("same"), NOW)
    kept.set("b", Secret("same"), NOW)
    assert len({entry.sealed for entry in kept.entries().values()}) == 2


@pytest.mark.parametrize("change", ["swap", "version", "flip"])
def test_an_entry_that_was_changed_is_refused(change: str, tmp_path: Path) -> None:
    kept = made(tmp_path)
    for name in ("a", "b"):
        kept.set(name, Secret(f"canary-{name}"), NOW)
    document = json.loads(kept.path.read_text())
    secrets = document["secrets"]
    if change == "swap":
        secrets["a"], secrets["b"] = secrets["b"], secrets["a"]
    elif change == "version":
        secrets["a"]["version"] = 7
    else:
        sealed = secrets["a"]["sealed"]
        secrets["a"]["sealed"] = sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:]
    kept.path.write_text(json.dumps(document))
    with pytest.raises(SecretError, match="was changed or damaged") as caught:
        kept.get("a")
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"onemcp": "secrets", "format": 1}', b"[" * 100_000, b'{"onemcp": "\xff"}'],
)
def test_a_damaged_file_is_refused_and_not_written_over(data: bytes, tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.path.write_bytes(data)
    for act in (lambda: kept.get("a"), lambda: kept.set("a", Secret("v"), NOW), kept.rotate):
        with pytest.raises(SecretError, match="is damaged"):
            act()
    assert kept.path.read_bytes() == data


@pytest.mark.parametrize("unusable", ["a\0b", "\ud800", "x" * 65_537])
def test_what_nobody_could_use_is_not_kept(unusable: str, tmp_path: Path) -> None:
    kept = made(tmp_path)
    with pytest.raises(SecretError, match=r"^it "):
        kept.set("a", Secret(unusable), NOW)
    assert not kept.path.exists()


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.path.write_text('{"onemcp": "secrets", "format": 2, "key": "", "secrets": {}}')
    with pytest.raises(SecretError, match="has the format 2, and this version reads 1"):
        kept.entries()


def test_another_key_is_told_by_its_id(tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.set("a", Secret("v"), NOW)
    right = kept.place.load()
    assert right is not None
    kept.place.keep(Key.fresh())
    with pytest.raises(SecretError) as caught:
        kept.get("a")
    assert str(caught.value) == (
        f"{tmp_path}/secrets.key is not the key to {tmp_path}/secrets.sealed; it takes the one with the id {right.id}"
    )
    kept.place.file.unlink()
    with pytest.raises(SecretError, match="there is no key to"):
        kept.set("b", Secret("v"), NOW)


def test_a_key_comes_from_a_variable_or_the_file_that_one_names(tmp_path: Path) -> None:
    key = Key.fresh()
    home = {"HOME": str(tmp_path)}
    first = vessel({**home, "ONE_MCP_SECRETS_KEY": key.text()})
    first.set("a", Secret("v"), NOW)
    assert not first.place.file.exists()
    for number, kept in enumerate((key.text(), key.reveal().hex(), b64encode(key.reveal()).decode() + "\n")):
        file = tmp_path / f"key{number}"
        file.write_text(kept)
        assert text(vessel({**home, "ONE_MCP_SECRETS_KEY_FILE": str(file)}), "a") == "v"


def test_a_passphrase_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(SecretError) as caught:
        vessel({"HOME": str(tmp_path), "ONE_MCP_SECRETS_KEY": "canary horse"}).set("a", Secret("v"), NOW)
    assert str(caught.value) == (
        "the variable ONE_MCP_SECRETS_KEY holds no key of 32 bytes; a key is 32 random bytes in base64,"
        " as openssl rand -base64 32 makes them"
    )


def test_nothing_shows_a_key(tmp_path: Path) -> None:
    key = Key.fresh()
    place = KeyPlace(tmp_path / "k", "ONE_MCP_SECRETS_KEY", key.text())
    assert key.text() not in repr(place) + str(place) + repr(key)


def test_a_rotation_keeps_secrets_and_versions_under_a_new_key(tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.set("a", Secret("one"), NOW)
    kept.set("a", Secret("two"), NOW)
    old, before = kept.place.file.read_text(), kept.entries()["a"]
    assert kept.rotate() == (1, kept.place.file)
    after = kept.entries()["a"]
    assert (text(kept, "a"), after.version, after.changed) == ("two", 2, NOW)
    assert after.sealed != before.sealed
    assert kept.place.file.read_text() != old
    assert not kept.place.next.exists()


def test_a_key_in_a_variable_needs_a_file_for_the_new_one(tmp_path: Path) -> None:
    kept = Vessel(tmp_path / "s", KeyPlace(tmp_path / "k", "ONE_MCP_SECRETS_KEY", Key.fresh().text()))
    kept.set("a", Secret("v"), NOW)
    with pytest.raises(SecretError, match="cannot be written; name a file for the new one with --to"):
        kept.rotate()
    new = tmp_path / "new.key"
    kept.rotate(new)
    assert text(Vessel(kept.path, KeyPlace(new)), "a") == "v"
    with pytest.raises(SecretError, match="is there already"):
        Vessel(kept.path, KeyPlace(new)).rotate(new)


def test_a_rotation_that_was_cut_off_at_any_point_leaves_a_file_that_opens(tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.set("a", Secret("v"), NOW)
    old_key, old_file = kept.place.file.read_bytes(), kept.path.read_bytes()
    kept.rotate()
    new_key, new_file = kept.place.file.read_bytes(), kept.path.read_bytes()
    for file in (old_file, new_file):  # the new key is written first, the file next; the key's place is last
        kept.path.write_bytes(file)
        kept.place.file.write_bytes(old_key)
        kept.place.next.write_bytes(new_key)
        assert text(kept, "a") == "v"
        kept.set("b", Secret("w"), NOW)
        assert (text(kept, "a"), text(kept, "b")) == ("v", "w")
        kept.rotate()
        assert (text(kept, "a"), text(kept, "b")) == ("v", "w")
        assert not kept.place.next.exists()


def test_a_reader_during_rotations_always_finds_its_secret(tmp_path: Path) -> None:
    kept = made(tmp_path)
    kept.set("a", Secret("v"), NOW)
    done = threading.Event()
    seen: list[str | None] = []

    def read() -> None:
        reader = made(tmp_path)
        while not done.is_set():
            seen.append(text(reader, "a"))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for _ in range(20):
            kept.rotate()
    finally:
        done.set()
        thread.join(10)
    assert set(seen) == {"v"}


LOOP = """
import sys
from pathlib import Path
from onemcp.config.secrets.key import KeyPlace
from onemcp.config.secrets.secret import Secret
from onemcp.config.secrets.vessel import Vessel
folder = Path(sys.argv[1])
kept = Vessel(folder / "secrets.sealed", KeyPlace(folder / "secrets.key"))
print("ready", flush=True)
while True:
    if sys.argv[2] == "rotate":
        kept.rotate()
    else:
        kept.set("b", Secret("w" * 1000), "2026-01-31T12:00:00Z")
"""


@pytest.mark.parametrize("what", ["set", "rotate"])
def test_a_writer_that_is_killed_leaves_the_file_whole(what: str, tmp_path: Path) -> None:
    kept = made(tmp_path)
    for number in range(50):
        kept.set(f"s{number}", Secret(f"value {number}"), NOW)
    for attempt in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", LOOP, str(tmp_path), what], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            before = kept.path.stat().st_ino
            for _ in range(500 * (attempt + 1)):  # some while into its work, another one each time
                if kept.path.stat().st_ino != before and attempt % 2:
                    break
            process.kill()
        assert text(kept, "s0") == "value 0"
        assert text(kept, "s49") == "value 49"
    kept.set("after", Secret("v"), NOW)
    assert len(kept.entries()) == 51 + (what == "set" and "b" in kept.entries())
    assert not list(tmp_path.glob(".*.tmp"))


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    made(tmp_path).set("first", Secret("v"), NOW)

    def write(number: int) -> None:
        made(tmp_path).set(f"s{number}", Secret("v"), NOW)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(made(tmp_path).entries()) == 11


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Vessel(tmp_path / "file" / "secrets.sealed", KeyPlace(tmp_path / "key"))
    with pytest.raises(SecretError):
        kept.set("a", Secret("v"), NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.anyio
async def test_the_provider_gives_the_secret_its_version_and_its_fields(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    provider = Sealed("local", SealedConfig(), environ)
    assert await provider.get("db", "") is None
    vessel(environ).set("db", Secret('{"password": "p"}'), NOW)
    found = await provider.get("db", "password")
    assert found is not None
    assert (found.secret.reveal(), found.version) == ("p", "1")
