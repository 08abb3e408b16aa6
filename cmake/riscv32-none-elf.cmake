# SPDX-License-Identifier: Apache-2.0
# RV32IMC, bare metal, with Debian's compiler for both widths. It comes without a C library; the declarations of the four
# functions that the core needs are in patcher/port/rv32/include.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR riscv32)
set(CMAKE_C_COMPILER riscv64-unknown-elf-gcc)
# No start-up code to link a trial program with.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_FLAGS_INIT "-march=rv32imc -mabi=ilp32 -ffreestanding")
