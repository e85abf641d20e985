/* A plugin of qemu: the number of executed instructions goes to the file given as out=FILE. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;
#define SHOWN __attribute__((visibility("default")))
SHOWN int qemu_plugin_version = 1;
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int operation, void *where, uint64_t value);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, void *), void *);

static uint64_t count;
static const char *file = "count.txt";

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, 0, &count, qemu_plugin_tb_n_insns(block));
}

static void ended(qemu_plugin_id_t id, void *data) {
  (void)id, (void)data;
  FILE *stream = fopen(file, "w");
  if (!stream) return;
  fprintf(stream, "%llu\n", (unsigned long long)count);
  fclose(stream);
}

SHOWN int qemu_plugin_install(qemu_plugin_id_t id, const void *about, int arguments, char **given) {
  (void)about;
  for (int i = 0; i < arguments; i++)
    if (!strncmp(given[i], "out=", 4)) file = strdup(given[i] + 4);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, 0);
  return 0;
}
