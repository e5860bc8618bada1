"""Lets PyPI's torch for Linux be imported without the 2.5 GB of CUDA packages that it asks for.

The tests compute on the CPU, and PyPI has no torch for that alone. Its libraries are linked against CUDA's. Of those the small one that torch asks
for devices, libcudart, is installed; nothing in the others is called as long as there is none. So each of them gets a stand-in beside
torch's own: an empty library of its name, and behind all of them one with every function that torch looks for, which ends the program. Needs
cc, nm and readelf; does nothing where torch wants no CUDA.

    python without_cuda.py    # the python of the environment that torch is in
"""

import pathlib
import subprocess
import sysconfig

PACKAGES = pathlib.Path(sysconfig.get_path("purelib"))
FOLDER = PACKAGES / "torch" / "lib"
FUNCTIONS = "libcuda_absent.so"
# What is loaded on import; libtorch_cuda_linalg.so and libcaffe2_nvrtc.so come with the first use of a device.
LOADED = ["libc10_cuda.so", "libtorch_cpu.so", "libtorch_cuda.so", "libtorch_global_deps.so", "libtorch_nvshmem.so", "libtorch_python.so"]
CUDA = ("libcu", "libnv", "libnccl")
# Of functions that no version ties to a library.
PREFIXES = ("cu", "nccl", "nv")


def main() -> None:
    if not (FOLDER / "libtorch_cuda.so").exists():
        return
    libraries = [FOLDER / name for name in LOADED if (FOLDER / name).exists()]
    installed = list(PACKAGES.glob("nvidia/*/lib/*.so*"))
    absent = {name for library in libraries for name in needed(library)} - {library.name for library in installed}
    present = {name for library in [*libraries, *installed] for name in symbols(library, "--defined-only")}
    functions = sorted({name for library in libraries for name in symbols(library, "--undefined-only")} - present)
    build(FUNCTIONS, "extern void abort(void);\n" + "\n".join(f"void {name}(void) {{ abort(); }}" for name in functions))
    for name in sorted(absent):
        build(name, "", FUNCTIONS)
    print(f"torch without CUDA: {len(absent)} libraries, {len(functions)} functions")


def needed(library: pathlib.Path) -> list[str]:
    """The libraries of CUDA that this one is linked against."""
    names = (line.partition("[")[2].rstrip("]") for line in output("readelf", "-d", library).splitlines() if "(NEEDED)" in line)
    return [name for name in names if name.startswith(CUDA)]


def symbols(library: pathlib.Path, which: str) -> list[str]:
    """Functions of CUDA that a library defines or needs: lines such as "U cublasCreate_v2@libcublas.so.13"; weak ones may stay undefined."""
    found = []
    for line in output("nm", "-D", which, library).splitlines():
        *_, kind, symbol = line.split()
        name, _, version = symbol.partition("@")
        version = version.lstrip("@")
        if kind != "w" and (version.startswith((*CUDA, "NVSHMEM")) or (version == "" and name.startswith(PREFIXES))):
            found.append(name)
    return found


def build(name: str, code: str, *behind: str) -> None:
    links = [f"-Wl,--no-as-needed,-rpath,$ORIGIN,-l:{library}" for library in behind]
    command = ["cc", "-shared", "-fPIC", "-w", "-x", "c", "-", "-o", FOLDER / name, f"-Wl,-soname,{name}", f"-L{FOLDER}", *links]
    subprocess.run(command, check=True, input=code, text=True)


def output(*command: str | pathlib.Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
