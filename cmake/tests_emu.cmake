# SPDX-License-Identifier: GPL-3.0-or-later
# Tests of the live world that start daemons: tests/emu/*_test.py, found by name. They need the programs
# and Python 3 (standard library only). tests/emu/NAME_test.py runs as emu.NAME_test.
find_package(Python3 COMPONENTS Interpreter)
if(QKDN_HAVE_EMU AND QKDN_HAVE_CLI AND Python3_FOUND)
    file(GLOB live_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/emu/*_test.py)
    foreach(test IN LISTS live_tests)
        get_filename_component(name ${test} NAME_WE)
        set(arguments "")
        if(name STREQUAL "one_truth_test" AND NOT QKDN_HAVE_SIMGRID)
            set(arguments --no-simgrid)
        endif()
        set(timeout 300)
        if(sanitize) # ten times slower
            set(timeout 1200)
            if(name MATCHES "^(kill|disk)_test$")
                set(arguments --back 100)
            endif()
        endif()
        add_test(NAME emu.${name} COMMAND ${Python3_EXECUTABLE} -B ${test} ${arguments})
        set_tests_properties(emu.${name} PROPERTIES LABELS emu TIMEOUT ${timeout} SKIP_RETURN_CODE 77
            COST 100 # they wait more than they work: beside the others, not after them
            ENVIRONMENT "QKDN=$<TARGET_FILE:qkdn>")
    endforeach()
    add_test(NAME emu.kill_slow_test COMMAND ${Python3_EXECUTABLE} -B
        ${CMAKE_SOURCE_DIR}/tests/emu/kill_test.py --kills 200)
    set_tests_properties(emu.kill_slow_test PROPERTIES LABELS "emu;slow" TIMEOUT 1800
        ENVIRONMENT "QKDN=$<TARGET_FILE:qkdn>")
endif()
