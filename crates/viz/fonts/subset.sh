#!/bin/sh
# Makes the bundled subsets from the static fonts of an Inter 3.19 release:
#   subset.sh FOLDER_WITH_Inter-Regular.otf_AND_Inter-SemiBold.otf
# Needs pyftsubset (fonttools).
set -eu
unicodes="U+0020-007E,U+00A0-017F,U+0391-03C9,U+2009,U+202F,U+2010-2015,U+2016,U+2018-201E,U+2020-2022,U+2026,U+2030,U+2032,U+2033,U+2070-209F,U+2113,U+2190-2195,U+21D2,U+2202,U+2206,U+2211,U+2212,U+221A,U+221E,U+222B,U+2248,U+2260,U+2264,U+2265,U+2299,U+25A0-25FF,U+2605,U+2713,U+2717"
for weight in Regular SemiBold; do
    pyftsubset "$1/Inter-$weight.otf" --unicodes="$unicodes" --layout-features=kern \
        --no-hinting --output-file="$(dirname "$0")/Inter-$weight-subset.otf"
done
