/*
 * An nbdkit plugin: a disk with bad sectors, which counts what is asked of it.
 *
 *   nbdkit cc badsector.c disk=FILE bad=LIST [counts=FILE] [delay_us=N]
 *
 * disk      the bytes that can be read
 * bad       a text file, one 512-byte sector number a line; a request that covers one fails as a whole with EIO, as the
 *           kernel answers it. Read again whenever the file is replaced, so that a sector may go bad or recover meanwhile.
 * counts    a text file kept up to date: reads= errors= bytes= (requests, failed requests, bytes delivered)
 * delay_us  how long a failed request takes, as a drive does that tries for a while before it gives up
 *
 * Read-only by nature: there is no pwrite.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL
#define SECTOR 512u

static char *disk_path, *bad_path, *counts_path;
static unsigned delay_us;

static int disk_fd = -1, counts_fd = -1;
static int64_t disk_size;

/* Guards everything below. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *bad;           /* ascending */
static size_t bad_count;
static struct stat bad_seen;    /* the list's file when it was read */
static uint64_t reads, errors, bytes;

static int
ascending (const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
  return (x > y) - (x < y);
}

/* Reads the list again if its file is another one or has changed; with the lock held. -1: it could not be read. */
static int
refresh (void)
{
  struct stat now;
  if (stat (bad_path, &now) == -1) {
    nbdkit_error ("%s: %m", bad_path);
    return -1;
  }
  if (now.st_ino == bad_seen.st_ino && now.st_size == bad_seen.st_size
      && now.st_mtim.tv_sec == bad_seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == bad_seen.st_mtim.tv_nsec)
    return 0;

  FILE *list = fopen (bad_path, "re");
  if (list == NULL) {
    nbdkit_error ("%s: %m", bad_path);
    return -1;
  }
  bad_count = 0;
  size_t room = 0;
  free (bad);
  bad = NULL;
  uint64_t lba;
  while (fscanf (list, "%" SCNu64, &lba) == 1) {
    if (bad_count == room) {
      room = room ? room * 2 : 64;
      uint64_t *more = realloc (bad, room * sizeof *bad);
      if (more == NULL) {
        nbdkit_error ("realloc: %m");
        fclose (list);
        return -1;
      }
      bad = more;
    }
    bad[bad_count++] = lba;
  }
  fclose (list);
  if (bad_count > 0)
    qsort (bad, bad_count, sizeof *bad, ascending);
  bad_seen = now;
  return 0;
}

/* Whether a bad sector lies in [first, last]; with the lock held. */
static int
hits (uint64_t first, uint64_t last)
{
  size_t low = 0, high = bad_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (bad[middle] < first)
      low = middle + 1;
    else
      high = middle;
  }
  return low < bad_count && bad[low] <= last;
}

/* With the lock held. The width is fixed, so that a reader never meets a half of two states. */
static void
write_counts (void)
{
  char line[128];
  if (counts_fd == -1)
    return;
  int length = snprintf (line, sizeof line, "reads=%020" PRIu64 " errors=%020" PRIu64 " bytes=%020" PRIu64 "\n",
                         reads, errors, bytes);
  if (pwrite (counts_fd, line, length, 0) != length)
    nbdkit_debug ("%s: %m", counts_path);
}

static int
badsector_config (const char *key, const char *value)
{
  if (strcmp (key, "disk") == 0)
    return (disk_path = nbdkit_realpath (value)) ? 0 : -1;
  if (strcmp (key, "bad") == 0)
    return (bad_path = nbdkit_realpath (value)) ? 0 : -1;
  if (strcmp (key, "counts") == 0)
    return (counts_path = nbdkit_absolute_path (value)) ? 0 : -1;
  if (strcmp (key, "delay_us") == 0)
    return nbdkit_parse_unsigned ("delay_us", value, &delay_us);
  nbdkit_error ("unknown parameter: %s", key);
  return -1;
}

static int
badsector_config_complete (void)
{
  if (disk_path == NULL || bad_path == NULL) {
    nbdkit_error ("disk= and bad= are needed");
    return -1;
  }
  return 0;
}

static int
badsector_get_ready (void)
{
  struct stat info;
  disk_fd = open (disk_path, O_RDONLY | O_CLOEXEC);
  if (disk_fd == -1 || fstat (disk_fd, &info) == -1) {
    nbdkit_error ("%s: %m", disk_path);
    return -1;
  }
  disk_size = info.st_size;
  if (counts_path != NULL) {
    counts_fd = open (counts_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (counts_fd == -1) {
      nbdkit_error ("%s: %m", counts_path);
      return -1;
    }
    write_counts ();
  }
  return refresh ();
}

static void
badsector_unload (void)
{
  if (disk_fd != -1)
    close (disk_fd);
  if (counts_fd != -1)
    close (counts_fd);
  free (bad);
  free (disk_path);
  free (bad_path);
  free (counts_path);
}

static void *
badsector_open (int readonly)
{
  (void) readonly;
  return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t
badsector_get_size (void *handle)
{
  (void) handle;
  return disk_size;
}

static int
badsector_can_multi_conn (void *handle)
{
  (void) handle;
  return 1;
}

static int
badsector_pread (void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags)
{
  (void) handle;
  (void) flags;
  pthread_mutex_lock (&lock);
  reads++;
  int failed = refresh () == -1 || (count > 0 && hits (offset / SECTOR, (offset + count - 1) / SECTOR));
  pthread_mutex_unlock (&lock);

  char *to = buf;
  uint32_t left = failed ? 0 : count;
  while (left > 0) {
    ssize_t got = pread (disk_fd, to, left, offset);
    if (got == -1 && errno == EINTR)
      continue;
    if (got <= 0) {
      nbdkit_error ("%s: short at %" PRIu64, disk_path, offset);
      failed = 1;
      break;
    }
    to += got;
    left -= got;
    offset += got;
  }
  if (failed && delay_us > 0)
    nbdkit_nanosleep (delay_us / 1000000, delay_us % 1000000 * 1000);

  pthread_mutex_lock (&lock);
  if (failed)
    errors++;
  else
    bytes += count;
  write_counts ();
  pthread_mutex_unlock (&lock);
  if (failed) {
    nbdkit_set_error (EIO);
    return -1;
  }
  return 0;
}

static struct nbdkit_plugin plugin = {
  .name              = "badsector",
  .longname          = "a disk with bad sectors",
  .config            = badsector_config,
  .config_complete   = badsector_config_complete,
  .get_ready         = badsector_get_ready,
  .unload            = badsector_unload,
  .open              = badsector_open,
  .get_size          = badsector_get_size,
  .can_multi_conn    = badsector_can_multi_conn,
  .pread             = badsector_pread,
  /* pread sets errno through nbdkit_set_error */
  .errno_is_preserved = 0,
};

NBDKIT_REGISTER_PLUGIN (plugin)
