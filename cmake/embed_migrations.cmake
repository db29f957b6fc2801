# Writes a C file that contains every migration: its number, name, SHA-256 and text. Run with cmake -P.
# SPDX-License-Identifier: Apache-2.0
#   -DOUTPUT=FILE -DDIRECTORY=DIR
file(GLOB files "${DIRECTORY}/*.sql")
list(SORT files)
set(entries "")
set(count 0)
foreach(file ${files})
  get_filename_component(name "${file}" NAME_WE)
  math(EXPR count "${count} + 1")
  string(REGEX MATCH "^[0-9][0-9][0-9][0-9]" number "${name}")
  string(REGEX REPLACE "^0+" "" number "${number}")
  if(NOT number STREQUAL count)
    message(FATAL_ERROR "migrations/${name}.sql: expected number ${count}")
  endif()
  file(SHA256 "${file}" sha256)
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND texts "static const char text_${count}[] = {${bytes}0};\n")
  string(APPEND entries "    {${count}, \"${name}\", \"${sha256}\", text_${count}},\n")
endforeach()
file(WRITE "${OUTPUT}" "/* Made by cmake/embed_migrations.cmake. */\n#include \"store/sqlite/migrate.h\"\n\n${texts}
const struct migration migrations[] = {\n${entries}};\nconst size_t migrations_len = ${count};\n")
