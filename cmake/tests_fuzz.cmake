# SPDX-License-Identifier: GPL-3.0-or-later
# tests/fuzz/<name>_fuzz.c defines LLVMFuzzerTestOneInput(). It is built with tests/fuzz/driver.c as
# the CTest entry fuzz.<name> (a fixed number of deterministic inputs, seconds) and, with
# -DQKDN_FUZZ=ON, against libFuzzer as <name>_libfuzzer for long runs.
# All of those: target `fuzzers`; tests/fuzz/long.sh runs them.
if(QKDN_FUZZ)
    add_custom_target(fuzzers)
endif()
file(GLOB fuzz_targets CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
qkdn_without_emu(fuzz_targets)
foreach(source IN LISTS fuzz_targets)
    get_filename_component(file ${source} NAME_WE)
    string(REGEX REPLACE "_fuzz$" "" name ${file})
    set(corpus ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
    add_executable(fuzz_${name} ${source} tests/fuzz/driver.c)
    target_link_libraries(fuzz_${name} PRIVATE qkdn_testlib ${all_rooms} qkdn_core)
    add_test(NAME fuzz.${name} COMMAND fuzz_${name} ${corpus} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz TIMEOUT 60)
    if(QKDN_FUZZ)
        add_executable(${name}_libfuzzer ${source})
        target_link_libraries(${name}_libfuzzer PRIVATE qkdn_testlib ${all_rooms} qkdn_core)
        target_link_options(${name}_libfuzzer PRIVATE -fsanitize=fuzzer,address,undefined)
        add_dependencies(fuzzers ${name}_libfuzzer)
    endif()
endforeach()
