# Writes a file's bytes as a C array: cmake -DIN=FILE -DNAME=symbol -DOUT=HEADER -P Embed.cmake
file(READ ${IN} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
string(REPEAT "0x..," 16 row)
string(REGEX REPLACE "${row}" "\\0\n" bytes "${bytes}")
file(WRITE ${OUT} "/* made from ${IN} */\nstatic const char ${NAME}[] = {\n${bytes}0};\n")
