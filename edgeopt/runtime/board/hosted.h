/* What semihost.h does, by an operating system. */
#include <stdint.h>
#include <stdio.h>

static FILE *opened[8];
static int files;
static const char *const modes[] = {"r", "rb", "r+", "r+b", "w", "wb"};
enum { READ_BYTES = 1, WRITE_BYTES = 5 };

static int host_open(const char *name, int mode) {
  FILE *file = fopen(name, modes[mode]);
  if (!file) return -1;
  opened[files] = file;
  return files++;
}

static int host_write(int file, const void *data, size_t bytes) {
  return fwrite(data, 1, bytes, opened[file]) != bytes || fflush(opened[file]);
}

static int host_read(int file, void *data, size_t bytes) { return fread(data, 1, bytes, opened[file]) != bytes; }
