# SPDX-License-Identifier: Apache-2.0
#
# What the folders' CMakeLists.txt are written with. File lists are explicit, sorted, one file a line.
#
#   kerf_library(NAME SOURCES x.c ... LIBS lib ...)    static library of a folder; LIBS are public
#   kerf_program(NAME SOURCES x.c ... LIBS lib ...)    program in <build>/bin
#   kerf_test(NAME [SOURCES x.c ...] LIBS lib ...)     cmocka program NAME.c and a ctest of that name
#   kerf_script_test(NAME COMMAND arg ... [TIMEOUT s]) ctest that runs a command; KERF_BIN and KERF_SRC are in its environment
#   kerf_fast(NAME ...)                                libraries and programs that make and apply deltas, optimised harder on hosts
#   kerf_embed(VARIABLE file ...)                      sets VARIABLE to C files that define each file x.css as kerf_x_css[]
#   kerf_fuzz(NAME LIBS lib ... [SEEDS OTHER])         fuzz_NAME.c; seeds/NAME.txt (OTHER.txt) are its seeds, replayed as ctest fuzz_NAME
#
# Labels: "slow" for what takes over ten seconds, which begins first so that nobody waits for it in the end,
# "threads" for what the preset tsan runs.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# A static library need not wait for those it will be linked with.
set(CMAKE_OPTIMIZE_DEPENDENCIES ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

add_compile_options(
    -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla -Wcast-align -Wmissing-prototypes
    -Wdate-time
    # The same bytes whatever the folder the tree lies in.
    -ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)
if(KERF_WERROR)
    add_compile_options(-Werror)
endif()
if(KERF_SANITIZE)
    add_compile_options(-fsanitize=${KERF_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${KERF_SANITIZE})
endif()
if(KERF_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(KERF_POS_BITS)
    add_compile_definitions(KERF_POS_BITS=${KERF_POS_BITS})
endif()
include_directories(${CMAKE_SOURCE_DIR})
# A program loads what it calls, not all that its libraries might.
add_link_options(-Wl,--as-needed)

function(kerf_library name)
    cmake_parse_arguments(PARSE_ARGV 1 A "" "" "SOURCES;LIBS")
    add_library(${name} STATIC ${A_SOURCES})
    target_link_libraries(${name} PUBLIC ${A_LIBS})
endfunction()

function(kerf_program name)
    cmake_parse_arguments(PARSE_ARGV 1 A "" "" "SOURCES;LIBS")
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_LIBS})
endfunction()

# A program is linked by link-time optimisation then. Objects hold plain code as well, so that all others link as ever (-fno-lto).
# Clang before 17 knows no such objects; the sanitizers want code as it was written.
set(KERF_FAST ON)
if(KERF_SANITIZE OR KERF_FUZZ OR CMAKE_BUILD_TYPE STREQUAL "Debug" OR CMAKE_SYSTEM_NAME STREQUAL "Generic")
    set(KERF_FAST OFF)
endif()
if(KERF_FAST AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(KERF_FAST_LTO ON)
    add_link_options(-fno-lto)
endif()

function(kerf_fast)
    foreach(name IN LISTS ARGN)
        get_target_property(type ${name} TYPE)
        if(KERF_FAST)
            target_compile_options(${name} PRIVATE -O3)
        elseif(KERF_SANITIZE)
            target_compile_options(${name} PRIVATE -O2) # what most of the tests' time goes into
        endif()
        # The steps of finding a reference are inside each other.
        set(inline --param=max-inline-insns-auto=80)
        if(KERF_FAST_LTO AND type STREQUAL "EXECUTABLE")
            target_link_options(${name} PRIVATE -O3 -flto=auto ${inline})
        elseif(KERF_FAST_LTO)
            target_compile_options(${name} PRIVATE -flto -ffat-lto-objects ${inline})
        endif()
    endforeach()
endfunction()

# Longer ones first, where no run before tells how long each takes.
function(kerf_test_cost name)
    if("slow" IN_LIST ARGN)
        set_tests_properties(${name} PROPERTIES COST 100)
    elseif("fuzz" IN_LIST ARGN)
        set_tests_properties(${name} PROPERTIES COST 50)
    endif()
endfunction()

function(kerf_test name)
    cmake_parse_arguments(PARSE_ARGV 1 A "" "TIMEOUT" "SOURCES;LIBS;LABELS")
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 120)
    endif()
    add_executable(${name} ${name}.c ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_LIBS} PkgConfig::CMOCKA)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}")
    kerf_test_cost(${name} ${A_LABELS})
endfunction()

function(kerf_script_test name)
    cmake_parse_arguments(PARSE_ARGV 1 A "" "TIMEOUT" "COMMAND;LABELS")
    if(NOT A_TIMEOUT)
        set(A_TIMEOUT 300)
    endif()
    add_test(NAME ${name} COMMAND ${A_COMMAND} WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}"
        ENVIRONMENT "KERF_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};KERF_SRC=${CMAKE_SOURCE_DIR};KERF_BUILD=${CMAKE_BINARY_DIR}")
    kerf_test_cost(${name} ${A_LABELS})
endfunction()

function(kerf_embed variable)
    set(made)
    foreach(file IN LISTS ARGN)
        set(c_file ${CMAKE_CURRENT_BINARY_DIR}/${file}.c)
        add_custom_command(OUTPUT ${c_file}
            COMMAND ${CMAKE_COMMAND} -D IN=${CMAKE_CURRENT_SOURCE_DIR}/${file} -D OUT=${c_file}
                -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
            DEPENDS ${file} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake VERBATIM)
        list(APPEND made ${c_file})
    endforeach()
    set(${variable} ${made} PARENT_SCOPE)
endfunction()

function(kerf_fuzz name)
    cmake_parse_arguments(PARSE_ARGV 1 A "" "SEEDS" "SOURCES;LIBS")
    if(NOT A_SEEDS)
        set(A_SEEDS ${name})
    endif()
    set(seeds ${CMAKE_BINARY_DIR}/fuzzers/seeds/${name})
    set(seed_text ${CMAKE_CURRENT_SOURCE_DIR}/seeds/${A_SEEDS}.txt)
    add_executable(fuzz_${name} fuzz_${name}.c ${A_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE ${A_LIBS})
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzzers)
    add_custom_command(OUTPUT ${seeds}/.made
        COMMAND python3 ${CMAKE_SOURCE_DIR}/tests/fuzz/make_seeds.py ${seed_text} ${seeds}
        COMMAND ${CMAKE_COMMAND} -E touch ${seeds}/.made
        DEPENDS ${seed_text} ${CMAKE_SOURCE_DIR}/tests/fuzz/make_seeds.py VERBATIM)
    add_custom_target(fuzz_${name}_seeds DEPENDS ${seeds}/.made)
    add_dependencies(fuzz_${name} fuzz_${name}_seeds)
    if(KERF_FUZZ)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        add_test(NAME fuzz_${name} COMMAND fuzz_${name} -runs=20000 -max_len=4096 ${seeds})
    else()
        target_sources(fuzz_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests/fuzz/standalone.c)
        add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${seeds})
    endif()
    set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 300 LABELS fuzz)
    kerf_test_cost(fuzz_${name} fuzz)
endfunction()
