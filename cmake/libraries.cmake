# SPDX-License-Identifier: Apache-2.0
# The libraries of the host programs; Debian package names are in tools/setup.
find_package(PkgConfig REQUIRED)
find_package(BZip2 REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(DIVSUFSORT REQUIRED IMPORTED_TARGET libdivsufsort libdivsufsort64)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET libevent libevent_openssl)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(LZMA REQUIRED IMPORTED_TARGET liblzma)
pkg_check_modules(OPENSSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)

# The archive, for kerf-diff, which takes nothing but SHA-256 of it: to load the shared one takes 1.5 ms.
find_library(KERF_LIBCRYPTO_ARCHIVE libcrypto.a)
set(KERF_LIBCRYPTO $<$<BOOL:${KERF_LIBCRYPTO_ARCHIVE}>:${KERF_LIBCRYPTO_ARCHIVE}>)
# The same of others, which takes 0.1 ms; none where there is no archive.
find_library(KERF_LIBJANSSON_ARCHIVE libjansson.a)
find_library(KERF_LIBLZMA_ARCHIVE liblzma.a)
set(KERF_LIBJANSSON $<$<BOOL:${KERF_LIBJANSSON_ARCHIVE}>:${KERF_LIBJANSSON_ARCHIVE}>)
set(KERF_LIBLZMA $<$<BOOL:${KERF_LIBLZMA_ARCHIVE}>:${KERF_LIBLZMA_ARCHIVE}>)
