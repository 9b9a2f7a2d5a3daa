// Catch2, whichever major the distribution has: v2 (Debian 12, Ubuntu 22.04) or v3. Its main() is in
// tests/catch_main.cpp (v2) or the distribution's Catch2WithMain (v3); link branchfs_catch.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
