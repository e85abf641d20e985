/* Semihosting: a debugger or emulator opens files and prints for the program. */
#include <stddef.h>
#include <stdint.h>

static int host_call(int number, const void *arguments) {
#if defined(__riscv)
  register long a0 __asm("a0") = number;
  register const void *a1 __asm("a1") = arguments;
  /* The alignment is asked for while instructions may be short, since relaxation may leave the place at an odd half word. */
  __asm volatile(".balign 16\n.option push\n.option norvc\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
                 : "+r"(a0) : "r"(a1) : "memory");
  return (int)a0;
#else
  register int r0 __asm("r0") = number;
  register const void *r1 __asm("r1") = arguments;
  __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
#endif
}

enum { READ_BYTES = 1, WRITE_BYTES = 5 };

static int host_open(const char *name, int mode) {
  size_t length = 0;
  while (name[length]) length++;
  const uintptr_t given[] = {(uintptr_t)name, (uintptr_t)mode, length};
  return host_call(1, given);
}

/* 0 when all bytes were moved */
static int host_write(int file, const void *data, size_t bytes) {
  const uintptr_t given[] = {(uintptr_t)file, (uintptr_t)data, bytes};
  return host_call(5, given);
}

static int host_read(int file, void *data, size_t bytes) {
  const uintptr_t given[] = {(uintptr_t)file, (uintptr_t)data, bytes};
  return host_call(6, given);
}

static void host_exit(int code) {
  const uintptr_t given[] = {0x20026, (uintptr_t)code};
  host_call(0x20, given);
  for (;;) { }
}
