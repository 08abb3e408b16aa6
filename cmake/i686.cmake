# SPDX-License-Identifier: Apache-2.0
# A 32-bit host; static, so that no 32-bit library needs to be installed where it runs.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR i686)
set(CMAKE_C_COMPILER i686-linux-gnu-gcc)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-static")
