# Writes a C file that holds the page of the admin listener: each file compressed with gzip, under a path that has the
# hash of all of them. Run with cmake -P.
# SPDX-License-Identifier: Apache-2.0
#   -DOUTPUT=FILE.c -DPAGE=DIR
#
# Libraries come from PAGE/node_modules, as package-lock.json names them. Their modules import each other by bare names
# ("preact"), which a browser cannot resolve: those names become paths. PAGE/index.html names the hash as @VERSION@.
cmake_minimum_required(VERSION 3.25)
set(modules "${PAGE}/node_modules")
# What the page takes from the libraries: the file's name here, its name there, the bare name that stands for it.
set(libraries
  "preact.js|preact/dist/preact.mjs|preact"
  "preact-hooks.js|preact/hooks/dist/hooks.mjs|preact/hooks"
  "htm.js|htm/dist/htm.mjs|htm"
  "uplot.js|uplot/dist/uPlot.iife.min.js|"
  "uplot.css|uplot/dist/uPlot.min.css|")

# The versions that are installed, and those that the lock file asks for.
function(are_installed out)
  set(${out} TRUE PARENT_SCOPE)
  file(READ "${PAGE}/package-lock.json" locked)
  foreach(package preact htm uplot)
    if(NOT EXISTS "${modules}/${package}/package.json")
      set(${out} FALSE PARENT_SCOPE)
      return()
    endif()
    file(READ "${modules}/${package}/package.json" installed)
    string(JSON version GET "${installed}" version)
    string(JSON wanted GET "${locked}" packages "node_modules/${package}" version)
    if(NOT version STREQUAL wanted)
      set(${out} FALSE PARENT_SCOPE)
    endif()
  endforeach()
endfunction()

# Two builds of one tree may run at once.
file(LOCK "${PAGE}" DIRECTORY GUARD PROCESS TIMEOUT 300)
are_installed(installed)
if(NOT installed)
  find_program(NPM npm)
  if(NOT NPM)
    message(FATAL_ERROR "the page's libraries are not installed, and npm, which installs them, is missing: run "
                        "`script/bootstrap build`")
  endif()
  message(STATUS "installing the page's libraries by ${PAGE}/package-lock.json")
  execute_process(COMMAND "${NPM}" ci --no-audit --no-fund --ignore-scripts WORKING_DIRECTORY "${PAGE}"
                  RESULT_VARIABLE failed OUTPUT_QUIET)
  are_installed(installed)
  if(failed OR NOT installed)
    message(FATAL_ERROR "the page's libraries cannot be installed: `npm ci` in ${PAGE} failed, see above")
  endif()
endif()
file(LOCK "${PAGE}" DIRECTORY RELEASE)

get_filename_component(work "${OUTPUT}" DIRECTORY)
set(work "${work}/page")
file(REMOVE_RECURSE "${work}")
file(MAKE_DIRECTORY "${work}")

# Copies a file with its imports rewritten; source maps are not there, so their names go.
function(take from to)
  file(READ "${from}" text)
  foreach(library ${libraries})
    string(REPLACE "|" ";" library "${library}")
    list(GET library 0 file)
    list(GET library 2 name)
    if(name)
      string(REGEX REPLACE "(from *)[\"']${name}[\"']" "\\1\"./${file}\"" text "${text}")
    endif()
  endforeach()
  string(REGEX REPLACE "\n//# sourceMappingURL=[^\n]*" "" text "${text}")
  file(WRITE "${work}/${to}" "${text}")
endfunction()

foreach(library ${libraries})
  string(REPLACE "|" ";" parts "${library}")
  list(GET parts 0 to)
  list(GET parts 1 from)
  take("${modules}/${from}" "${to}")
endforeach()
file(GLOB own RELATIVE "${PAGE}" "${PAGE}/*.js" "${PAGE}/*.css" "${PAGE}/*.svg")
foreach(file ${own})
  take("${PAGE}/${file}" "${file}")
endforeach()
# Their licences go along.
set(licences "Libraries in this page\n")
foreach(package preact htm uplot)
  file(READ "${modules}/${package}/LICENSE" text)
  string(APPEND licences "\n==== ${package} ====\n\n${text}")
endforeach()
file(WRITE "${work}/licences.txt" "${licences}")

file(GLOB files RELATIVE "${work}" "${work}/*")
list(SORT files)
set(all "")
foreach(file ${files})
  file(SHA256 "${work}/${file}" sha256)
  string(APPEND all "${file} ${sha256}\n")
endforeach()
file(SHA256 "${PAGE}/index.html" sha256)
string(SHA256 version "${all}index.html ${sha256}")
string(SUBSTRING "${version}" 0 16 version)
file(READ "${PAGE}/index.html" text)
string(REPLACE "@VERSION@" "${version}" text "${text}")
file(WRITE "${work}/index.html" "${text}")

set(types "html=text/html|js=text/javascript|css=text/css|svg=image/svg+xml|txt=text/plain")
set(texts "")
set(entries "")
set(count 0)
foreach(file index.html ${files})
  math(EXPR count "${count} + 1")
  string(REGEX MATCH "[a-z]+$" extension "${file}")
  string(REGEX REPLACE "^.*${extension}=([^|]*).*$" "\\1" type "${types}")
  file(ARCHIVE_CREATE OUTPUT "${work}/${file}.gz" PATHS "${work}/${file}" FORMAT raw COMPRESSION GZip
       COMPRESSION_LEVEL 9 MTIME 0)
  file(READ "${work}/${file}.gz" hex HEX)
  file(SIZE "${work}/${file}.gz" size)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND texts "static const unsigned char file_${count}[] = {${bytes}};\n")
  if(file STREQUAL "index.html")
    set(path "")
  else()
    set(path "/page/${version}/${file}")
  endif()
  string(APPEND entries "    {\"${path}\", \"${type}; charset=utf-8\", file_${count}, ${size}},\n")
endforeach()
file(WRITE "${OUTPUT}" "/* Made by cmake/embed_page.cmake. */\n#include \"admin/page_files.h\"\n\n${texts}
const struct page_file page_files[] = {\n${entries}};\nconst size_t page_files_len = ${count};
const char page_version[] = \"\\\"${version}\\\"\";\n")
