# SPDX-License-Identifier: GPL-3.0-or-later
# Tidy tests: added below as they come.
