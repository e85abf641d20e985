/* The processor as one without AVX-512: cpuid faults in this thread and those it starts, and is answered with bits cleared. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { SET_CPUID = 0x1012 }; /* of arch_prctl: 0 lets cpuid fault, 1 lets it run */
/* Leaf 7: AVX-512 in all its parts and AMX; of its second page AVX-VNNI, the half-precision parts and AVX10. */
static const uint32_t EBX7 = 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31;
static const uint32_t ECX7 = 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14;
static const uint32_t EDX7 = 1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25;
static const uint32_t EAX71 = 1u << 4 | 1u << 5 | 1u << 21, EDX71 = 1u << 4 | 1u << 5 | 1u << 8 | 1u << 10 | 1u << 19;

static void answered(int number, siginfo_t *about, void *context) {
  (void)about;
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  const uint8_t *code = (const uint8_t *)r[REG_RIP];
  if (code[0] != 0x0f || code[1] != 0xa2) { /* a true fault: it comes again, and ends the process */
    signal(number, SIG_DFL);
    return;
  }
  uint32_t leaf = (uint32_t)r[REG_RAX], page = (uint32_t)r[REG_RCX], a, b, c, d;
  syscall(SYS_arch_prctl, SET_CPUID, 1);
  __cpuid_count(leaf, page, a, b, c, d);
  syscall(SYS_arch_prctl, SET_CPUID, 0);
  if (leaf == 7 && page == 0) b &= ~EBX7, c &= ~ECX7, d &= ~EDX7;
  if (leaf == 7 && page == 1) a &= ~EAX71, d &= ~EDX71;
  r[REG_RAX] = a, r[REG_RBX] = b, r[REG_RCX] = c, r[REG_RDX] = d;
  r[REG_RIP] += 2;
}

/* 0, or -1 where cpuid cannot fault. */
int mask_avx512(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = answered;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  if (sigaction(SIGSEGV, &action, NULL)) return -1;
  return syscall(SYS_arch_prctl, SET_CPUID, 0) ? -1 : 0;
}
