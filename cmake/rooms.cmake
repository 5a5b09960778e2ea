# SPDX-License-Identifier: GPL-3.0-or-later
# One library per room of the house; the arrows between them are those of docs/architecture.md.
# qkdn_room(name FOLDERS... LINK libs...): a static library of all .c files of the folders.
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
    endif()
endfunction()

qkdn_room(qkdn_core
    FOLDERS core/base core/wire core/crypto core/channel core/module core/km core/controller core/manager core/app
    LINK PkgConfig::SODIUM PkgConfig::CRYPTO)
