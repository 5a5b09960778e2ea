# SPDX-License-Identifier: GPL-3.0-or-later
# Tidy tests: tidy.<check> looks at the sources, tidy.<check>.planted shows that the check reports
# faults planted in a copy. docs/conventions.md says which rule is checked by which.
set(tidy_dir ${CMAKE_SOURCE_DIR}/tests/tidy)
get_target_property(tidy_flags qkdn_flags INTERFACE_COMPILE_OPTIONS)
list(FILTER tidy_flags INCLUDE REGEX "^-W")
set(tidy_includes "")
foreach(folder IN LISTS SODIUM_INCLUDE_DIRS CRYPTO_INCLUDE_DIRS GSL_INCLUDE_DIRS FYAML_INCLUDE_DIRS
        SQLITE_INCLUDE_DIRS GRAPHVIZ_INCLUDE_DIRS CHECK_INCLUDE_DIRS UV_INCLUDE_DIRS SSL_INCLUDE_DIRS
        MICROHTTPD_INCLUDE_DIRS GNUTLS_INCLUDE_DIRS JANSSON_INCLUDE_DIRS)
    list(APPEND tidy_includes -isystem ${folder})
endforeach()

# qkdn_tidy(check [arguments of the check...])
function(qkdn_tidy check)
    add_test(NAME tidy.${check} COMMAND sh ${tidy_dir}/${check}.sh ${CMAKE_SOURCE_DIR} ${ARGN})
    add_test(NAME tidy.${check}.planted
        COMMAND sh ${tidy_dir}/planted.sh ${CMAKE_SOURCE_DIR} ${check} ${ARGN})
    set_tests_properties(tidy.${check} tidy.${check}.planted PROPERTIES LABELS tidy TIMEOUT 120)
endfunction()

foreach(check arrows sizes spdx comments language words todo links orphans spec_map)
    qkdn_tidy(${check})
endforeach()
qkdn_tidy(flags ${CMAKE_C_COMPILER} -std=c17 ${tidy_flags})
qkdn_tidy(headers ${CMAKE_C_COMPILER} -std=c17 ${tidy_flags} -D_POSIX_C_SOURCE=200809L
    ${tidy_includes})
if(NOT QKDN_HAVE_EMU) # its headers need its libraries
    set_tests_properties(tidy.headers tidy.headers.planted PROPERTIES ENVIRONMENT "TIDY_SKIP=emu")
endif()
# A sanitizer asks for symbols of its own, so the archive is judged only without one.
if(NOT sanitize)
    qkdn_tidy(symbols $<TARGET_FILE:qkdn_core> ${CMAKE_C_COMPILER})
endif()
