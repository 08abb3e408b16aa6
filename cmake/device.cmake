# SPDX-License-Identifier: Apache-2.0
#
# The device library (common + patcher, decoding only, 32-bit positions, -Os), once for each processor and configuration:
#
#   kerf_device_library(NAME CONFIGURATION OPTION ...)    OPTIONs choose the processor
#
# Configurations, as tools/size-budget has them; <one> is the instruction set that KERF_ONE_ISA names:
#   one       <one>, two slots, no journal, no payloads but stored and native ones
#   journal   <one>, journal and in place
#   all       every instruction set, journal, in place, payloads for a decoder of the port
#
#   kerf_device_sizes(CPU OPTION ...)    kerf_size_<configuration>_<cpu> of each, built by the target `sizes` alone;
#                                        tools/size-report reads them

# The sources of a host library, as absolute paths.
function(kerf_sources_of library result)
    get_target_property(sources ${library} SOURCES)
    get_target_property(dir ${library} SOURCE_DIR)
    list(TRANSFORM sources PREPEND ${dir}/)
    set(${result} ${sources} PARENT_SCOPE)
endfunction()

kerf_sources_of(kerf_common common_sources)
kerf_sources_of(kerf_patcher patcher_sources)

# patcher/core/core.c, and what it does not include.
set(device_core ${CMAKE_SOURCE_DIR}/patcher/core/core.c)
set(device_sources ${device_core} ${common_sources} ${patcher_sources})
file(STRINGS ${device_core} included REGEX "^#include \".*[.]c\"")
list(TRANSFORM included REPLACE "^#include \"(.*)\"" "${CMAKE_SOURCE_DIR}/\\1")
list(REMOVE_ITEM device_sources ${included})
# Found by trying one after the other (docs/DESIGN.md, "The core as one file"). The parameters keep frames of what is inlined small.
set(device_core_options -fno-schedule-insns2 -fno-move-loop-invariants -fno-caller-saves -fno-tree-vrp -fno-forward-propagate
    -fno-ipa-modref -fno-tree-ter -fno-if-conversion -fno-optimize-sibling-calls --param=large-stack-frame=32
    --param=large-stack-frame-growth=0)
# It loses sight of what is set where there are second halves.
list(APPEND device_core_options -Wno-maybe-uninitialized)

function(kerf_device_library name configuration)
    add_library(${name} STATIC ${device_sources})
    set_source_files_properties(${device_core} PROPERTIES COMPILE_OPTIONS "-fwhole-program;${device_core_options}")
    # The call graph with its stack frames lies beside each object (tools/size-report).
    target_compile_options(${name} PUBLIC ${ARGN} -Os -g -ffunction-sections -fdata-sections
        PRIVATE -fcallgraph-info=su)
    target_compile_definitions(${name} PUBLIC KERF_POS_BITS=32 KERF_ENCODER=0)
    if(NOT configuration STREQUAL "all")
        foreach(isa THUMB A32 AARCH64 XTENSA RISCV X86 AVR BA2 HEXAGON MCS51 MIPS MIPS16 ARC NDS32 POWERPC TC32 VIDEOCORE BTF OFFSETS WORDS)
            if(NOT isa STREQUAL KERF_ONE_ISA)
                target_compile_definitions(${name} PUBLIC KERF_ISA_HAS_${isa}=0)
            endif()
        endforeach()
        target_compile_definitions(${name} PUBLIC KERF_UNPACK=0)
    endif()
    if(configuration STREQUAL "one")
        target_compile_definitions(${name} PUBLIC KERF_JOURNAL=0 KERF_IN_PLACE=0)
    endif()
    add_custom_command(TARGET ${name} POST_BUILD
        COMMAND ${CMAKE_SOURCE_DIR}/tools/undefined-symbols "${CMAKE_LINKER} ${KERF_LINKER_OPTIONS}" ${CMAKE_NM} $<TARGET_FILE:${name}> VERBATIM)
endfunction()

add_custom_target(sizes)

function(kerf_device_sizes cpu)
    foreach(configuration one journal all)
        set(name kerf_size_${configuration}_${cpu})
        kerf_device_library(${name} ${configuration} ${ARGN})
        set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL TRUE
            ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/sizes)
        add_dependencies(sizes ${name})
    endforeach()
endfunction()
