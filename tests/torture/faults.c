/* Stands before the C library (LD_PRELOAD) and counts the file-system calls below one folder: at the n-th,
 * something happens. It fails, is cut short, the process is killed, or the power of the disk is cut.
 *
 * Nothing happens until a process calls fault_arm; what it forks inherits that. Calls are counted whose path,
 * or whose descriptor's, lies below the root: whatever else the interpreter opens has no number.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHUTDOWN 0x8004587d /* EXT4_IOC_SHUTDOWN, which is FS_IOC_SHUTDOWN of the other file systems */
#define MOST 4096           /* descriptors that are followed */

enum mode { OFF, COUNT, FAIL, SHORT, KILL, CUT };

static char root[PATH_MAX];
static size_t root_length;
static enum mode mode = OFF;
static int failure; /* errno of FAIL, flag of CUT */
static long at, last, seen;
static int trace = -1;
static char *followed[MOST]; /* the path of each descriptor below the root */

#define REAL(name) \
    static __typeof__(&name) real; \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* From the first-th call to the last-th, something happens; `to` is a descriptor for a line a call, or -1. */
void fault_arm(const char *folder, int what, int number, long first, long until, int to) {
    snprintf(root, sizeof root, "%s", folder);
    root_length = strlen(root);
    failure = number;
    at = first;
    last = until;
    seen = 0;
    trace = to;
    mode = (enum mode)what;
}

long fault_seen(void) { return seen; }

static int is_below(const char *path) {
    return mode != OFF && path && !strncmp(path, root, root_length) &&
           (path[root_length] == 0 || path[root_length] == '/');
}

static const char *path_of(int descriptor) {
    return mode != OFF && descriptor >= 0 && descriptor < MOST ? followed[descriptor] : NULL;
}

static void follow(int descriptor, const char *path) {
    if (descriptor >= 0 && descriptor < MOST) followed[descriptor] = strdup(path);
}

static void tell(const char *call, const char *path, const char *other) {
    if (trace >= 0) dprintf(trace, "%s\t%s\t%s\n", call, path, other);
}

static void end(void) {
    if (mode == CUT) {
        REAL(open);
        uint32_t flag = (uint32_t)failure;
        int descriptor = real(root, O_RDONLY);
        if (ioctl(descriptor, SHUTDOWN, &flag)) _exit(70);
    }
    kill(getpid(), SIGKILL);
}

/* Whether this call's number has come. */
static int is_due(void) {
    seen++;
    return at <= seen && seen <= last;
}

/* Whether a call fails; it may not come back at all. */
static int fails(void) {
    if (!is_due()) return 0;
    if (mode == KILL || mode == CUT) end();
    errno = failure;
    return mode == FAIL;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t bits = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            bits = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        int ours = is_below(path); \
        if (ours && fails()) return -1; \
        int descriptor = real(path, flags, bits); \
        if (ours && descriptor >= 0) follow(descriptor, path); \
        return descriptor; \
    }
OPEN(open)
OPEN(open64)

int close(int descriptor) {
    REAL(close);
    const char *path = path_of(descriptor);
    int failed = path && fails(), why = errno;
    if (path) followed[descriptor] = NULL;
    int result = real(descriptor); /* a descriptor is gone, whatever close says */
    if (!failed) return result;
    errno = why;
    return -1;
}

ssize_t write(int descriptor, const void *data, size_t size) {
    REAL(write);
    const char *path = path_of(descriptor);
    if (!path) return real(descriptor, data, size);
    if (is_due()) {
        if (mode == FAIL) {
            errno = failure;
            return -1;
        }
        if (mode != COUNT && size > 1) size /= 2; /* SHORT; and who is killed had written a half */
        if (mode == KILL || mode == CUT) {
            real(descriptor, data, size);
            end();
        }
    }
    ssize_t done = real(descriptor, data, size);
    if (done >= 0) tell("write", path, "");
    return done;
}

#define READ(name, parameters, arguments) \
    ssize_t name parameters { \
        REAL(name); \
        if (path_of(descriptor) && is_due()) { \
            if (mode == KILL || mode == CUT) end(); \
            if (mode == FAIL) { \
                errno = failure; \
                return -1; \
            } \
            if (mode == SHORT && size > 1) size = (size + 63) / 64; \
        } \
        return real arguments; \
    }
READ(read, (int descriptor, void *data, size_t size), (descriptor, data, size))
READ(pread, (int descriptor, void *data, size_t size, off_t start), (descriptor, data, size, start))
READ(pread64, (int descriptor, void *data, size_t size, off64_t start), (descriptor, data, size, start))

#define ON_DESCRIPTOR(name) \
    int name(int descriptor) { \
        REAL(name); \
        const char *path = path_of(descriptor); \
        if (path && fails()) return -1; \
        int result = real(descriptor); \
        if (path && !result) tell(#name, path, ""); \
        return result; \
    }
ON_DESCRIPTOR(fsync)
ON_DESCRIPTOR(fdatasync)
ON_DESCRIPTOR(syncfs)

#define ON_PATH(name, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        int ours = is_below(path); \
        if (ours && fails()) return -1; \
        int result = real arguments; \
        if (ours && !result) tell(#name, path, ""); \
        return result; \
    }
ON_PATH(unlink, (const char *path), (path))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t bits), (path, bits))
ON_PATH(stat, (const char *path, struct stat *found), (path, found))
ON_PATH(lstat, (const char *path, struct stat *found), (path, found))
ON_PATH(stat64, (const char *path, struct stat64 *found), (path, found))
ON_PATH(lstat64, (const char *path, struct stat64 *found), (path, found))

#define TO_PATH(name) \
    int name(const char *path, const char *other) { \
        REAL(name); \
        int ours = is_below(other); \
        if (ours && fails()) return -1; \
        int result = real(path, other); \
        if (ours && !result) tell(#name, path, other); \
        return result; \
    }
TO_PATH(link)
TO_PATH(rename)

int linkat(int from, const char *path, int to, const char *other, int flags) {
    REAL(linkat);
    if (is_below(other) && fails()) return -1;
    return real(from, path, to, other, flags); /* only for what need not be durable: nobody is told */
}

#define ON_OPEN_FILE(name, kind) \
    int name(int descriptor, struct kind *found) { \
        REAL(name); \
        if (path_of(descriptor) && fails()) return -1; \
        return real(descriptor, found); \
    }
ON_OPEN_FILE(fstat, stat)
ON_OPEN_FILE(fstat64, stat64)

#define MAP(name, offset_type) \
    void *name(void *address, size_t size, int access, int flags, int descriptor, offset_type offset) { \
        REAL(name); \
        if (path_of(descriptor) && fails()) return MAP_FAILED; \
        return real(address, size, access, flags, descriptor, offset); \
    }
MAP(mmap, off_t)
MAP(mmap64, off64_t)

DIR *opendir(const char *path) {
    REAL(opendir);
    int ours = is_below(path);
    if (ours && fails()) return NULL;
    DIR *folder = real(path);
    if (ours && folder) follow(dirfd(folder), path);
    return folder;
}

int closedir(DIR *folder) {
    REAL(closedir);
    if (path_of(dirfd(folder))) followed[dirfd(folder)] = NULL;
    return real(folder);
}

#define NEXT(name, kind) \
    struct kind *name(DIR *folder) { \
        REAL(name); \
        if (path_of(dirfd(folder)) && fails()) return NULL; \
        return real(folder); \
    }
NEXT(readdir, dirent)
NEXT(readdir64, dirent64)
