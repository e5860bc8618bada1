"""Lets PyPI's torch for Linux be imported without the 2.5 GB of CUDA packages that it asks for.

The tests compute on the CPU, and PyPI has no torch for that alone. Its libraries are linked against CUDA's, but call nothing in them as long
as there is no device. So each CUDA library gets a stand-in beside torch's own: an empty one of its name, and behind all of them one with every
function that torch looks for, which answers cudaErrorNoDevice. Needs cc and nm; does nothing where torch wants no CUDA (macOS, ARM).

    python without_cuda.py    # the python of the environment that torch is in
"""

import pathlib
import subprocess
import sysconfig

ERROR_NO_DEVICE = 100
FUNCTIONS = "libcuda_absent.so"
# What is loaded on import; libtorch_cuda_linalg.so and libcaffe2_nvrtc.so come with the first use of a device.
LOADED = ["libc10_cuda.so", "libtorch_cpu.so", "libtorch_cuda.so", "libtorch_global_deps.so", "libtorch_nvshmem.so", "libtorch_python.so"]
CUDA = ("libcu", "libnv", "libnccl")


def output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main() -> None:
    folder = pathlib.Path(sysconfig.get_path("purelib"), "torch", "lib")
    libraries = [folder / name for name in LOADED if (folder / name).exists()]
    if not (folder / "libtorch_cuda.so").exists():
        return
    needed: set[str] = set()
    wanted: set[str] = set()
    defined: set[str] = set()
    for library in libraries:
        for line in output("readelf", "-d", str(library)).splitlines():
            name = line.partition("[")[2].rstrip("]")
            if "(NEEDED)" in line and name.startswith(CUDA):
                needed.add(name)
        # "                 U cudaMalloc@libcudart.so.13"; weak ones may stay undefined.
        wanted |= {line.split()[1] for line in output("nm", "-D", "--undefined-only", str(library)).splitlines() if line.split()[0] == "U"}
        defined |= {line.split()[-1].partition("@")[0] for line in output("nm", "-D", "--defined-only", str(library)).splitlines()}
    functions = sorted(name.partition("@")[0] for name in wanted if is_cuda(name) and name.partition("@")[0] not in defined)
    code = "\n".join(f"int {name}(void) {{ return {ERROR_NO_DEVICE}; }}" for name in functions)
    compile_library(folder, FUNCTIONS, code)
    for name in sorted(needed):
        compile_library(folder, name, "", FUNCTIONS)
    print(f"torch without CUDA: {len(needed)} libraries, {len(functions)} functions")


def is_cuda(symbol: str) -> bool:
    """By the library that its version names, or, without a version, by CUDA's prefixes."""
    name, _, version = symbol.partition("@")
    return version.lstrip("@").startswith((*CUDA, "NVSHMEM")) or (version == "" and name.startswith(("cu", "nccl", "nv", "__cuda")))


def compile_library(folder: pathlib.Path, name: str, code: str, *behind: str) -> None:
    links = [f"-Wl,--no-as-needed,-rpath,$ORIGIN,-l:{library}" for library in behind]
    command = ["cc", "-shared", "-fPIC", "-w", "-fno-builtin", "-x", "c", "-", "-o", str(folder / name), f"-Wl,-soname,{name}", f"-L{folder}", *links]
    subprocess.run(command, check=True, input=code, text=True)


if __name__ == "__main__":
    main()
