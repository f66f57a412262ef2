// SPDX-License-Identifier: GPL-2.0
/* Compiled in several ways and never linked: see the Makefile. */
#include "uapi_layout.h"

int sef_uapi_layout = SEF_NAME_SIZE;
