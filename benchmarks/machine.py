"""The machine that the figures hold for."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def facts() -> dict[str, object]:
    """Cores, processor, system, versions, and the load averages of this moment."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: version(name) for name in ("onemcp", "uvicorn", "httptools", "uvloop", "msgspec")},
        "load_average": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
