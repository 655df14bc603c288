"""Builds the wheel: a build backend (PEP 517) that needs nothing but a C compiler, so that it works offline.

    python build_wheel.py OUTPUT_DIRECTORY

One wheel serves every CPython from 3.9 on (stable ABI). The library is taken from $RKAFKA_LIB, by default
target/release/librkafka.so of this repository, and goes into the package beside the extension, which finds it by $ORIGIN.
"""

import base64
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGE = HERE / "src" / "rkafka"
DARWIN = sys.platform == "darwin"
LIBRARY = "librkafka.1.dylib" if DARWIN else "librkafka.so.1"
EXTENSION = "_core.abi3.so"


def version() -> str:
    return re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.M).group(1)


def library() -> Path:
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    path = Path(os.environ.get("RKAFKA_LIB", built / ("librkafka.dylib" if DARWIN else "librkafka.so")))
    if not path.exists():
        raise SystemExit(f"{path} is not there: build the library (make build) or set RKAFKA_LIB")
    return path


def compile_into(directory: Path) -> None:
    """The extension and the library, stripped of what only a debugger needs."""
    target = directory / LIBRARY
    shutil.copy(library(), target)
    if shutil.which("strip"):
        subprocess.check_call(["strip", "-x" if DARWIN else "--strip-unneeded", str(target)])
    cc = shlex.split(os.environ.get("CC", "cc"))
    flags = shlex.split(os.environ.get("CFLAGS", "-O2 -g0"))
    sources = sorted(str(p) for p in (HERE / "csrc").glob("*.c"))
    if DARWIN:
        link = ["-bundle", "-undefined", "dynamic_lookup", "-Wl,-rpath,@loader_path"]
    else:
        link = ["-shared", "-Wl,-rpath,$ORIGIN", "-Wl,-z,defs,--unresolved-symbols=ignore-in-object-files"]
    command = cc + ["-std=gnu11", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-unused-parameter",
                    "-Wno-missing-field-initializers"] + flags
    command += [f"-I{ROOT / 'include'}", f"-I{sysconfig.get_paths()['include']}"] + sources
    command += ["-o", str(directory / EXTENSION), str(target)] + link
    subprocess.check_call(command)


def tag() -> str:
    system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    return f"cp39-abi3-{system}"


def metadata() -> str:
    return (f"Metadata-Version: 2.1\nName: rkafka\nVersion: {version()}\nSummary: Kafka producer with the interface of "
            f"confluent-kafka, upon librkafka\nLicense: MIT OR Apache-2.0\nRequires-Python: >=3.9\n"
            f"Provides-Extra: opentelemetry\nRequires-Dist: opentelemetry-api; extra == 'opentelemetry'\n"
            f"Description-Content-Type: text/markdown\n\n{(HERE / 'README.md').read_text()}")


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = f"rkafka-{version()}-{tag()}.whl"
    info = f"rkafka-{version()}.dist-info"
    records = []
    with tempfile.TemporaryDirectory() as temporary:
        compile_into(Path(temporary))
        files = {f"rkafka/{p.relative_to(PACKAGE)}": p.read_bytes()
                 for p in sorted(PACKAGE.rglob("*")) if p.suffix in (".py", ".pyi", ".typed") or p.name == "py.typed"}
        files.update({f"rkafka/{p.name}": p.read_bytes() for p in sorted(Path(temporary).iterdir())})
    files[f"{info}/METADATA"] = metadata().encode()
    files[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: rkafka\nRoot-Is-Purelib: false\nTag: {tag()}\n".encode()
    for licence in ("LICENSE-MIT", "LICENSE-APACHE"):
        files[f"{info}/{licence}"] = (ROOT / licence).read_bytes()
    os.makedirs(wheel_directory, exist_ok=True)
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if path.endswith((".so", LIBRARY)) else 0o644) << 16
            wheel.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            records.append(f"{path},sha256={digest},{len(data)}")
        wheel.writestr(f"{info}/RECORD", "\n".join(records + [f"{info}/RECORD,,", ""]))
    return name


def build_sdist(sdist_directory, config_settings=None):
    raise SystemExit("rkafka is built from a checkout of the repository: the library is part of the wheel")


def get_requires_for_build_wheel(config_settings=None):
    return []


if __name__ == "__main__":
    print(build_wheel(sys.argv[1] if len(sys.argv) > 1 else "dist"))
