/* From reset to main: memory is prepared, the FPU switched on. */
#include <stdint.h>
#include "semihost.h"

extern uint32_t data_begin, data_end, data_stored, zero_begin, zero_end, stack_top;
extern int main(void);

__attribute__((used)) static void prepare(void) {
  for (uint32_t *to = &data_begin, *from = &data_stored; to < &data_end;) *to++ = *from++;
  for (uint32_t *to = &zero_begin; to < &zero_end;) *to++ = 0;
  host_exit(main());
}

#if defined(__riscv)
__attribute__((naked, section(".vectors"), used)) void reset(void) {
  __asm volatile("la sp, stack_top\n la t0, trapped\n .word 0x30529073 # csrw mtvec, t0\n j prepare");
}
__attribute__((used, aligned(4))) void trapped(void) { host_exit(99); }
#else
static void trapped(void) { host_exit(99); }
__attribute__((used)) static void go(void) {
#if __ARM_FP
  *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
  __asm volatile("dsb\n isb");
#endif
  prepare();
}
__attribute__((naked)) void reset(void) {
  __asm volatile("ldr r0, =stack_top\n mov sp, r0\n bl %c0" : : "i"(go));
}
__attribute__((section(".vectors"), used)) void *const vectors[16] = {
    &stack_top, (void *)reset, (void *)trapped, (void *)trapped, (void *)trapped, (void *)trapped, (void *)trapped};
#endif
