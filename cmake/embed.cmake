# SPDX-License-Identifier: Apache-2.0
# Writes the file IN as a C array with a NUL behind: cmake -D IN=dir/report.css -D OUT=x.c -P embed.cmake makes kerf_report_css[].
get_filename_component(name ${IN} NAME)
string(MAKE_C_IDENTIFIER kerf_${name} name)
file(READ ${IN} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "extern const char ${name}[];\nconst char ${name}[] = {${bytes}0};\n")
