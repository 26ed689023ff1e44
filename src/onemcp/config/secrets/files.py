"""Files of secrets: as all files that are replaced whole, in folders and with modes for their owner alone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from onemcp.config import files
from onemcp.config.secrets.provider import SecretError
from onemcp.errors import StoreError


def replaced(path: Path, data: bytes) -> None:
    """Write a file of mode 0600, whole or not at all, as `config.files.replaced`; a link is followed, so that it stays one.

    Raises:
        SecretError: it cannot be written; the old one is as it was.
    """
    with _told(path):
        files.replaced(_place(path), data)


@contextmanager
def locked(path: Path, *beside: Path) -> Iterator[None]:
    """Keep other writers of a file out while the block runs, as `config.files.locked`.

    Raises:
        SecretError: another one does not end, or there can be no lock here.
    """
    with ExitStack() as held:
        with _told(path):
            held.enter_context(files.locked(_place(path), *beside))
        yield


def _place(path: Path) -> Path:
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise SecretError(error.what, error.fix) from None
    except OSError as error:
        raise SecretError(f"{path} cannot be written: {error.strerror}", "nothing was changed") from None
