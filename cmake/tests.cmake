# SPDX-License-Identifier: GPL-3.0-or-later
# Every tests/<level>/<name>_test.c is one Check program and one CTest entry <level>.<name>.
pkg_check_modules(CHECK REQUIRED IMPORTED_TARGET check)
foreach(level unit sim)
    file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${level}/*_test.c)
    foreach(source IN LISTS tests)
        get_filename_component(name ${source} NAME_WE)
        add_executable(${level}_${name} ${source})
        target_link_libraries(${level}_${name} PRIVATE qkdn_core PkgConfig::CHECK)
        add_test(NAME ${level}.${name} COMMAND ${level}_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
        set_tests_properties(${level}.${name} PROPERTIES LABELS ${level} TIMEOUT 120)
    endforeach()
endforeach()
