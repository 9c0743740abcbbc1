// The version number that the whole program has, as semantic versioning writes it.
#pragma once

/// The program's version, for example 1.2.3. From the file VERSION, unless scripts/release/stamp.sh has written another
/// one into the program since.
const char *_Nonnull codeai_version(void);
