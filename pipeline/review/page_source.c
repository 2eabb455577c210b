/* Embedded by the assembler, so that the program needs no file to write a page. pipeline/room.mk
 * has what this depends on. */
#include "pipeline/review/page_source.h"

#define BEGIN(name)                                                                                \
    __asm__(".section .rodata\n.global page_source_" #name "\npage_source_" #name ":\n.previous")
#define PART(path) __asm__(".section .rodata\n.incbin \"pipeline/review/" path "\"\n.previous")
#define END        __asm__(".section .rodata\n.byte 0\n.previous")

BEGIN(html);
PART("page.html");
END;
BEGIN(css);
PART("page.css");
END;
BEGIN(js);
PART("timecode.js");
PART("elements.js");
PART("store.js");
PART("player.js");
PART("shots.js");
PART("details.js");
PART("notes.js");
PART("page.js");
END;
