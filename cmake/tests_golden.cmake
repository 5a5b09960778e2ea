# SPDX-License-Identifier: GPL-3.0-or-later
# Golden tests of the command line; tests/golden/run.sh says what a case is. After a wanted change:
# cmake --build build/dev --target golden-update, then read the diff before committing it.
file(GLOB golden_cases CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/golden/*.cmd)
if(QKDN_HAVE_CLI AND golden_cases)
    set(golden_run ${CMAKE_SOURCE_DIR}/tests/golden/run.sh)
    set(digests ${CMAKE_SOURCE_DIR}/tests/golden/digests.sh)
    foreach(case IN LISTS golden_cases)
        get_filename_component(name ${case} NAME_WE)
        add_test(NAME golden.${name} COMMAND sh ${golden_run} check $<TARGET_FILE:qkdn> ${case})
        set_tests_properties(golden.${name} PROPERTIES LABELS golden TIMEOUT 120)
        if(name MATCHES "simgrid" AND NOT QKDN_HAVE_SIMGRID)
            set_tests_properties(golden.${name} PROPERTIES DISABLED ON)
        endif()
        if(name MATCHES "pki|render|live|help_(up|down|status|logs)" AND NOT QKDN_HAVE_EMU)
            set_tests_properties(golden.${name} PROPERTIES DISABLED ON)
        endif()
    endforeach()
    add_custom_target(golden-update
        COMMAND sh ${golden_run} update $<TARGET_FILE:qkdn> ${golden_cases}
        COMMAND sh ${digests} update $<TARGET_FILE:qkdn>
        DEPENDS qkdn VERBATIM)

    # One source, one digest, whatever built it: quick here, by many compilers in the slow test.
    add_test(NAME golden.digests COMMAND sh ${digests} quick $<TARGET_FILE:qkdn>)
    set_tests_properties(golden.digests PROPERTIES LABELS golden TIMEOUT 600)
    add_test(NAME golden.digests_planted COMMAND sh ${digests} planted $<TARGET_FILE:qkdn>)
    set_tests_properties(golden.digests_planted PROPERTIES LABELS golden TIMEOUT 60)
    add_test(NAME golden.builds
        COMMAND sh ${CMAKE_SOURCE_DIR}/tests/golden/builds.sh ${CMAKE_BINARY_DIR}/builds)
    set_tests_properties(golden.builds PROPERTIES LABELS "golden;slow" TIMEOUT 3600 RUN_SERIAL ON)
endif()

# The driver itself: it must reject a wrong text and a wrong exit code.
add_test(NAME golden_driver.planted COMMAND sh ${CMAKE_SOURCE_DIR}/tests/golden/self_test.sh)
set_tests_properties(golden_driver.planted PROPERTIES LABELS golden TIMEOUT 60)

# Our own scenarios, judged by the command as a user's CI would (docs/ci.md).
if(QKDN_HAVE_CLI)
    set(scenario_engine "")
    if(NOT QKDN_HAVE_SIMGRID)
        set(scenario_engine --engine fast)
    endif()
    add_test(NAME check.scenarios COMMAND sh ${CMAKE_SOURCE_DIR}/tests/golden/scenarios.sh
        $<TARGET_FILE:qkdn> -j 2 ${scenario_engine})
    set(scenario_timeout 600)
    if(sanitize) # ten times slower
        set(scenario_timeout 3600)
    endif()
    set_tests_properties(check.scenarios PROPERTIES LABELS sim TIMEOUT ${scenario_timeout})
endif()
