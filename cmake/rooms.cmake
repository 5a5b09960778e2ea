# SPDX-License-Identifier: GPL-3.0-or-later
# One library per room of the house; the arrows between them are those of docs/architecture.md.
# qkdn_room(name FOLDERS folders... LINK libs... EXCLUDE files...): a static library of all .c files
# of the folders, found by glob; an empty room is an empty library that still carries its links.
function(qkdn_room name)
    cmake_parse_arguments(ROOM "" "" "FOLDERS;LINK;EXCLUDE" ${ARGN})
    set(sources "")
    foreach(folder IN LISTS ROOM_FOLDERS)
        file(GLOB found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
        list(APPEND sources ${found})
    endforeach()
    foreach(file IN LISTS ROOM_EXCLUDE)
        list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${file})
    endforeach()
    if(sources)
        add_library(${name} STATIC ${sources})
        target_link_libraries(${name} PUBLIC qkdn_flags ${ROOM_LINK})
    else()
        add_library(${name} INTERFACE)
        target_link_libraries(${name} INTERFACE qkdn_flags ${ROOM_LINK})
    endif()
endfunction()

# What rooms outside core may use beyond C17: POSIX, and the version they print.
add_library(qkdn_outer INTERFACE)
target_compile_definitions(qkdn_outer INTERFACE _POSIX_C_SOURCE=200809L
    QKDN_VERSION="${PROJECT_VERSION}")
target_link_libraries(qkdn_outer INTERFACE m)

set(simgrid_link "")
set(simgrid_exclude sim/engine_simgrid.c)
if(QKDN_HAVE_SIMGRID)
    set(simgrid_link PkgConfig::SIMGRID)
    set(simgrid_exclude "")
    target_compile_definitions(qkdn_outer INTERFACE QKDN_HAVE_SIMGRID)
endif()

qkdn_room(qkdn_core
    FOLDERS core/base core/wire core/crypto core/channel core/module core/km core/controller
            core/manager core/app
    LINK PkgConfig::SODIUM PkgConfig::CRYPTO)
qkdn_room(qkdn_models FOLDERS models LINK qkdn_core qkdn_outer PkgConfig::GSL)
qkdn_room(qkdn_scenarios FOLDERS scenarios LINK qkdn_models qkdn_core qkdn_outer PkgConfig::FYAML)
qkdn_room(qkdn_host FOLDERS host LINK qkdn_scenarios qkdn_models qkdn_core qkdn_outer)
qkdn_room(qkdn_watch FOLDERS watch LINK qkdn_scenarios qkdn_models qkdn_core qkdn_outer)
qkdn_room(qkdn_sim FOLDERS sim EXCLUDE ${simgrid_exclude}
    LINK qkdn_host qkdn_watch qkdn_scenarios qkdn_models qkdn_core qkdn_outer ${simgrid_link})
qkdn_room(qkdn_analysis FOLDERS analysis
    LINK qkdn_scenarios qkdn_core qkdn_outer PkgConfig::SQLITE PkgConfig::GRAPHVIZ)

add_custom_target(programs) # what `make build` builds and `make install` installs
include(GNUInstallDirs)

# The live world. emu/daemon/main_<name>.c is the main() of the daemon qkdn-<name>.
set(emu_rooms "")
file(GLOB emu_mains CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/emu/daemon/main_*.c)
if(QKDN_HAVE_EMU)
    set(emu_exclude ${emu_mains})
    list(TRANSFORM emu_exclude REPLACE "^${CMAKE_SOURCE_DIR}/" "")
    target_compile_definitions(qkdn_outer INTERFACE QKDN_HAVE_EMU)
    qkdn_room(qkdn_emu FOLDERS emu/base emu/net emu/store emu/flight emu/http emu/etsi014 emu/daemon emu/deploy emu/attack
        EXCLUDE ${emu_exclude}
        LINK qkdn_host qkdn_watch qkdn_scenarios qkdn_models qkdn_core qkdn_outer PkgConfig::UV
            PkgConfig::SSL PkgConfig::MICROHTTPD PkgConfig::GNUTLS PkgConfig::JANSSON
            PkgConfig::SQLITE)
    set(emu_rooms qkdn_emu)
    foreach(source IN LISTS emu_mains)
        get_filename_component(name ${source} NAME_WE)
        string(REGEX REPLACE "^main_" "qkdn-" name ${name})
        add_executable(${name} ${source})
        add_dependencies(programs ${name})
        target_link_libraries(${name} PRIVATE qkdn_emu qkdn_lto)
        install(TARGETS ${name})
    endforeach()
endif()

# The command: build/<preset>/qkdn.
file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/cli/*.c)
set(cli_emu "/(cmd_pki|cmd_render|cmd_up|cmd_down|cmd_status|cmd_logs|deploy|up_text|cmd_judge|judge|live_run)\\.c$")
if(QKDN_HAVE_EMU)
    set(cli_emu "/without_emu\\.c$")
endif()
list(FILTER cli_sources EXCLUDE REGEX "${cli_emu}")
set(QKDN_HAVE_CLI FALSE)
if(cli_sources)
    set(QKDN_HAVE_CLI TRUE)
    add_executable(qkdn ${cli_sources})
    add_dependencies(programs qkdn)
    target_link_libraries(qkdn PRIVATE qkdn_sim ${emu_rooms} qkdn_analysis qkdn_scenarios qkdn_models
        qkdn_core qkdn_lto)
    install(TARGETS qkdn)
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/scenarios/ DESTINATION ${CMAKE_INSTALL_DATADIR}/qkdn/scenarios
        FILES_MATCHING PATTERN "*.yaml" PATTERN "*.csv" PATTERN "*.json")
    file(GLOB man_pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/docs/man/*.1)
    if(man_pages)
        install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    endif()
endif()
