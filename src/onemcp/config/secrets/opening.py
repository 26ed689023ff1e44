"""From what the section `secrets` says to the chain that it means."""

from collections.abc import Mapping

from onemcp.config.secrets.chain import Chain
from onemcp.config.secrets.command import Command, CommandConfig
from onemcp.config.secrets.environment import Environment, EnvironmentConfig
from onemcp.config.secrets.folder import Folder, FolderConfig
from onemcp.config.secrets.provider import Provider
from onemcp.config.secrets.sealed import Sealed, SealedConfig
from onemcp.config.secrets.section import ProviderConfig, SecretsConfig
from onemcp.config.secrets.vault_config import VaultConfig


def opened(config: SecretsConfig, environ: Mapping[str, str]) -> Chain:
    """The chain, to be closed; made inside the event loop that uses it. Nothing is asked yet."""
    providers = {name: _provider(name, one, environ) for name, one in config.providers.items()}
    return Chain(providers, config.order, config.cache)


def _provider(name: str, config: ProviderConfig, environ: Mapping[str, str]) -> Provider:
    match config:
        case EnvironmentConfig():
            return Environment(name, config, environ)
        case FolderConfig():
            return Folder(name, config)
        case SealedConfig():
            return Sealed(name, config, environ)
        case VaultConfig():
            from onemcp.config.secrets.vault import Vault  # noqa: PLC0415 - an HTTP client, which few need

            return Vault(name, config)
        case CommandConfig():
            return Command(name, config)
