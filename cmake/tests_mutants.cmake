# SPDX-License-Identifier: GPL-3.0-or-later
# Mutation check (docs/oracle.md): core once more, with deliberate faults of which one at a time is in
# force. Built by the target `mutants` and by the tests labelled slow only, never by default.
#   ctest -L slow -R mutants     each mutant at the seed known to show it (tests/mutants/seeds.txt)
#   cmake --build ... --target mutants-search     seeds 1 to 1000 of each
set(mutant_sources "")
foreach(folder base wire crypto channel module km controller manager app)
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/core/${folder}/*.c)
    list(APPEND mutant_sources ${found})
endforeach()
# As objects, so that none of them is taken from the archive without mutants.
add_executable(mutants EXCLUDE_FROM_ALL tests/mutants/mutants.c ${mutant_sources})
target_compile_definitions(mutants PRIVATE QKDN_MUTANTS)
target_link_libraries(mutants PRIVATE qkdn_sim)
add_custom_target(mutants-search
    COMMAND mutants search 1000 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} VERBATIM)
add_test(NAME slow.mutants_build
    COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target mutants)
add_test(NAME slow.mutants COMMAND mutants known ${CMAKE_SOURCE_DIR}/tests/mutants/seeds.txt)
set_tests_properties(slow.mutants_build PROPERTIES LABELS slow TIMEOUT 1800
    FIXTURES_SETUP mutants_built RUN_SERIAL ON)
set_tests_properties(slow.mutants PROPERTIES LABELS slow TIMEOUT 1800 FIXTURES_REQUIRED mutants_built)
