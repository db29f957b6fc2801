# Installs the sample config and the systemd unit. A config file is installed only if no file of that name exists, so
# that an operator's changes are kept. Databases, keys and tokens are never installed: only the project's own files are read.
# SPDX-License-Identifier: Apache-2.0
#
# Runs at install time. CMAKE_INSTALL_PREFIX is the value of --prefix. Variables:
#   SOURCE   the folder config/
#   ETC      the folder of configs: absolute, or below the prefix (below the root where the prefix is /usr)
#   BIN      the folder of programs, likewise
#   STATE    the folder of the installed service's data
string(REGEX REPLACE "/+$" "" prefix "${CMAKE_INSTALL_PREFIX}")
if(NOT IS_ABSOLUTE "${ETC}")
  if(prefix STREQUAL "" OR prefix STREQUAL "/usr")
    set(ETC "/${ETC}")
  else()
    set(ETC "${prefix}/${ETC}")
  endif()
endif()
if(NOT IS_ABSOLUTE "${BIN}")
  set(BIN "${prefix}/${BIN}")
endif()

# NAME under config/, TARGET without DESTDIR, then pairs of texts: a text in the file, and its replacement.
function(install_text name target)
  set(installed "$ENV{DESTDIR}${target}")
  message(STATUS "Installing: ${installed}")
  file(READ "${SOURCE}/${name}" text)
  while(ARGN)
    list(POP_FRONT ARGN from to)
    string(REPLACE "${from}" "${to}" text "${text}")
  endwhile()
  file(WRITE "${installed}" "${text}")
  file(CHMOD "${installed}" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

file(GLOB files RELATIVE "${SOURCE}" "${SOURCE}/rein.yaml" "${SOURCE}/demo/scenarios.yaml" "${SOURCE}/lexicons/*.yaml"
     "${SOURCE}/models/*.yaml" "${SOURCE}/policies/*.yaml" "${SOURCE}/styles/*.yaml" "${SOURCE}/templates/*.yaml")
foreach(file ${files})
  set(target "${ETC}/rein/${file}")
  if(EXISTS "$ENV{DESTDIR}${target}" OR IS_SYMLINK "$ENV{DESTDIR}${target}")
    message(STATUS "Kept: $ENV{DESTDIR}${target}")
  else()
    # A clone keeps decisions in data/, an installed service in its state folder.
    install_text("${file}" "${target}" "sqlite:../data/" "sqlite:${STATE}/")
  endif()
endforeach()

install_text(rein.service "${prefix}/lib/systemd/system/rein.service" "/usr/bin/rein" "${BIN}/rein" "/etc/rein"
             "${ETC}/rein" "/var/lib/rein" "${STATE}")
