/* SPDX-License-Identifier: Apache-2.0 */
/* bootutil_public.h - stands for <bootutil/bootutil_public.h> of MCUboot: what the example calls. */
#ifndef KERF_STUB_BOOTUTIL_PUBLIC_H
#define KERF_STUB_BOOTUTIL_PUBLIC_H

/* Marks the image in the secondary slot as to be tried at the next boot; `permanent` 0: once, until it is confirmed. */
int boot_set_pending(int permanent);

#endif
