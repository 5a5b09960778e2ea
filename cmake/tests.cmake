# SPDX-License-Identifier: GPL-3.0-or-later
# Every test is found by its file name; nothing is listed by hand.
#   tests/<level>/<name>_test.c  one Check program, CTest entry <level>.<name>_test, label <level>
#                                (<name>_slow_test.c: label slow too; *alloc*: malloc is wrapped)
#   tests/fuzz/<name>_fuzz.c     LLVMFuzzerTestOneInput(); entry fuzz.<name> with our own driver
#   tests/golden/<name>.cmd      a command line; <name>.out is what it must print, and its exit code
#   tests/bench/<name>.c         a program with its own main(); only `make bench` runs it
#   tests/tidy/<name>.sh         a check of the sources, and of itself on a planted fault
# Tests of the live world are tests/emu/* and everything named emu_*: left out where it is not built.
set(all_rooms qkdn_sim ${emu_rooms} qkdn_analysis qkdn_scenarios qkdn_models)

# Takes the tests of the live world out of a list of sources when it is not built.
function(qkdn_without_emu list)
    if(NOT QKDN_HAVE_EMU)
        list(FILTER ${list} EXCLUDE REGEX "/tests/emu/|/emu_[^/]*$")
        set(${list} ${${list}} PARENT_SCOPE)
    endif()
endfunction()

# And those that need igraph (*_igraph_test) where it is not there.
function(qkdn_without_igraph list)
    if(NOT QKDN_HAVE_IGRAPH)
        list(FILTER ${list} EXCLUDE REGEX "_igraph_test\\.c$")
        set(${list} ${${list}} PARENT_SCOPE)
    endif()
endfunction()

# Helpers for tests, in tests/lib.
file(GLOB testlib_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/lib/*.c)
qkdn_without_emu(testlib_sources)
if(testlib_sources)
    add_library(qkdn_testlib STATIC ${testlib_sources})
    target_link_libraries(qkdn_testlib PUBLIC qkdn_core qkdn_outer PkgConfig::CHECK PkgConfig::FYAML)
else()
    add_library(qkdn_testlib INTERFACE)
    target_link_libraries(qkdn_testlib INTERFACE qkdn_core qkdn_outer PkgConfig::CHECK PkgConfig::FYAML)
endif()

# A unit test links core and, by its prefix, the room it tests; a sim test links all of them.
function(qkdn_test_rooms level name result)
    set(rooms "")
    if(NOT level STREQUAL "unit")
        set(rooms ${all_rooms})
    elseif(name MATCHES "^(scenario|scn)")
        set(rooms qkdn_scenarios)
    elseif(name MATCHES "^(model|mdl)")
        set(rooms qkdn_models)
    elseif(name MATCHES "^(analysis|ana|results|graph)")
        set(rooms qkdn_analysis)
    elseif(name MATCHES "^emu")
        set(rooms ${emu_rooms})
    elseif(name MATCHES "^host")
        set(rooms qkdn_host)
    elseif(name MATCHES "^(sim|engine|oracle|world)")
        set(rooms qkdn_sim)
    endif()
    set(${result} ${rooms} PARENT_SCOPE)
endfunction()

foreach(level unit sim threat emu)
    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${level}/*_test.c)
    qkdn_without_emu(tests)
    qkdn_without_igraph(tests)
    foreach(source IN LISTS tests)
        get_filename_component(name ${source} NAME_WE)
        set(target ${level}_${name})
        add_executable(${target} ${source})
        qkdn_test_rooms(${level} ${name} rooms)
        target_link_libraries(${target} PRIVATE qkdn_testlib ${rooms} qkdn_core)
        if(name MATCHES "_igraph_test$")
            target_link_libraries(${target} PRIVATE PkgConfig::IGRAPH)
        endif()
        if(name MATCHES "alloc")
            # Only these count allocations: references to malloc and friends from our own objects
            # go to the __wrap_ functions of tests/lib.
            target_link_options(${target} PRIVATE
                -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free)
        endif()
        set(labels ${level})
        set(timeout 300)
        if(name MATCHES "_slow_test$")
            list(APPEND labels slow)
            set(timeout 1800)
        elseif(sanitize) # ten times slower
            set(timeout 1200)
        endif()
        add_test(NAME ${level}.${name} COMMAND ${target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(${level}.${name} PROPERTIES LABELS "${labels}" TIMEOUT ${timeout})
        if(QKDN_HAVE_CLI)
            set_tests_properties(${level}.${name} PROPERTIES
                ENVIRONMENT "QKDN=$<TARGET_FILE:qkdn>")
        endif()
    endforeach()
endforeach()

include(cmake/tests_fuzz.cmake)
include(cmake/tests_golden.cmake)
include(cmake/tests_tidy.cmake)
include(cmake/tests_mutants.cmake)
include(cmake/tests_emu.cmake)

# Measurements: never part of `make test`.
add_custom_target(benches)
file(GLOB benches CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/bench/*.c)
qkdn_without_emu(benches)
foreach(source IN LISTS benches)
    get_filename_component(name ${source} NAME_WE)
    add_executable(bench_${name} ${source})
    add_dependencies(benches bench_${name})
    target_link_libraries(bench_${name} PRIVATE qkdn_testlib ${all_rooms} qkdn_core qkdn_lto)
    if(name STREQUAL "control_bench") # it times the controller's own work
        target_link_options(bench_${name} PRIVATE -Wl,--wrap=ctl_step)
    endif()
    if(name MATCHES "^emu_" AND TARGET programs) # they start daemons
        add_dependencies(bench_${name} programs)
    endif()
    add_test(NAME bench.${name} COMMAND bench_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
    set_tests_properties(bench.${name} PROPERTIES LABELS bench TIMEOUT 1800 RUN_SERIAL ON)
endforeach()
