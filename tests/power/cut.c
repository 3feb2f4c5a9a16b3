/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cut.c - real power cuts, for root (testing.md M4; promises P1, P2, P9): a writer on a file system of its own on a loop device, which is shut down under it
 * (ioctl EXT4_IOC_SHUTDOWN without a flush of the journal; XFS has the same), so that what was not synced is gone when it is mounted again.
 *
 *      CUTS=n   how many (default 100)      SEED=n      FS=ext4|xfs
 *
 * story.h has the writers, the model and what must be found.  Beside the writer a second process syncs a file of its own now and then, so that the journal also
 * goes to the disk at moments that the writer did not choose.
 *
 * The mounts are in a mount namespace of this process, the loop device detaches when its last user goes, and the disk is a file without a name: so nothing
 * of it outlives this process, however it ends.  No loop device, no mkfs, no root: skipped.
 */
#include "../kill/story.h"

#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

#define FS_SHUTDOWN _IOR('X', 125, uint32_t)
#define FS_SHUTDOWN_NO_FLUSH 2u

static const char *fs = "ext4";
static char mount_at[100], device[32];
static pid_t running[3];               /* children, for an interrupt */
static unsigned next_id, commits, acknowledged, unacknowledged, created, torn, temporaries;

static int
skip(const char *why, const char *more)
{
	printf("1..0 # SKIP %s%s%s\n", why, more[0] == '\0' ? "" : ": ", more);
	if (mount_at[0] != '\0')
		(void)rmdir(mount_at);
	return 0;
}

/* What cannot be undone by ending is the directory; an unmount is tried for it. */
static void
on_signal(int sig)
{
	size_t i;

	for (i = 0; i < sizeof running / sizeof running[0]; i++)
		if (running[i] > 0)
			(void)kill(-running[i], SIGKILL);
	(void)umount2(mount_at, MNT_DETACH);
	(void)rmdir(mount_at);
	_exit(128 + sig);
}

static _Noreturn void
bail(const char *what)
{
	size_t i;

	printf("Bail out! %s: %s\n", what, strerror(errno));
	for (i = 0; i < sizeof running / sizeof running[0]; i++)
		if (running[i] > 0)
			(void)kill(-running[i], SIGKILL);
	(void)umount2(mount_at, MNT_DETACH);
	(void)rmdir(mount_at);
	exit(1);
}

/* ---- the disk ------------------------------------------------------------------------------------------------------------- */

/* A loop device over a file without a name; -1: none to be had. */
static int
attach(const char *tmp, off_t bytes)
{
	struct loop_info64 info;
	char name[160];
	int control, number, loop, disk, attempt;

	(void)snprintf(name, sizeof name, "%s/otr-disk-XXXXXX", tmp);
	disk = mkstemp(name);
	if (disk < 0)
		return -1;
	(void)unlink(name);
	if (ftruncate(disk, bytes) != 0)
		return -1;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	for (attempt = 0; control >= 0 && attempt < 20; attempt++) {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		(void)snprintf(device, sizeof device, "/dev/loop%d", number);
		loop = open(device, O_RDWR | O_CLOEXEC);
		if (loop < 0)
			break;
		if (ioctl(loop, LOOP_SET_FD, disk) == 0) {       /* EBUSY: somebody was faster */
			memset(&info, 0, sizeof info);
			info.lo_flags = LO_FLAGS_AUTOCLEAR;
			(void)close(control);
			(void)close(disk);
			if (ioctl(loop, LOOP_SET_STATUS64, &info) == 0)
				return loop;
			(void)ioctl(loop, LOOP_CLR_FD, 0);
			return -1;
		}
		(void)close(loop);
	}
	if (control >= 0)
		(void)close(control);
	(void)close(disk);
	return -1;
}

static bool
make_fs(void)
{
	char command[200];

	(void)snprintf(command, sizeof command, strcmp(fs, "xfs") == 0 ? "PATH=$PATH:/usr/sbin:/sbin mkfs.xfs -q -f %s >/dev/null 2>&1" :
	    "PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q -F -b 4096 -J size=4 %s >/dev/null 2>&1", device);
	return system(command) == 0;
}

static bool
mount_fs(void)
{
	return mount(device, mount_at, fs, MS_NOATIME | MS_NODEV | MS_NOSUID, "") == 0;
}

/* The power goes, and comes back. */
static bool
shut_down(void)
{
	uint32_t how = FS_SHUTDOWN_NO_FLUSH;
	int fd = open(mount_at, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is = fd >= 0 && ioctl(fd, FS_SHUTDOWN, &how) == 0;

	if (fd >= 0)
		(void)close(fd);
	return is;
}

static void
power_up(void)
{
	int i;

	/* a child that was killed may leave the mount busy for an instant */
	for (i = 0; umount(mount_at) != 0; i++) {
		if (errno != EBUSY || i > 2000)
			bail("umount");
		story_sleep(1000);
	}
	if (!mount_fs())
		bail("mount after a power cut");
}

/* ---- the cycles ----------------------------------------------------------------------------------------------------------- */

/* Syncs a file of its own, so that the journal is written now and then. */
static void
sync_beside(void)
{
	char path[160];
	int fd;

	(void)snprintf(path, sizeof path, "%s/beside", mount_at);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (fd >= 0 && pwrite(fd, "beside", 6, 0) == 6 && ftruncate(fd, (off_t)story_dice(9000)) == 0 && fsync(fd) == 0)
		story_sleep((long)story_dice(1500));
	_exit(3);
}

enum what { WRITE, WRITE_TWICE, COMPACT, CREATE };

static void
cut(struct story *s, enum what what, unsigned number)
{
	static const char *const names[] = { "one writer", "two writers", "compaction", "creation" };
	unsigned writers = what == WRITE_TWICE ? 2 : 1, i;
	enum creation how = (enum creation)story_dice(CREATIONS);
	uint64_t before = s->last;
	struct ack *ack;
	size_t acks;
	char now[120];
	int ends[2], told = 0;
	size_t surely;

	if (how == CREATE_BY_TOOL)
		how = CREATE_NEW;
	(void)snprintf(now, sizeof now, "cut %u, %s, %s", number, strrchr(s->path, '/') + 1, names[what]);
	story_now = now;
	if (pipe(ends) != 0)
		bail("pipe");
	for (i = 0; i < writers; i++) {
		struct teller w = { .path = s->path, .out = ends[1], .id = next_id + i, .k = s->next_k, .round_robin = s->round_robin, .pauses = story_dice(3) == 0,
			.large = s->round_robin && story_dice(2) == 0 };

		(void)tap_random(&story_seed);
		running[i] = story_fork();
		if (running[i] == 0) {
			(void)close(ends[0]);
			story_seed ^= (unsigned long long)w.id << 20;
			if (what == CREATE)
				teller_creates(&w, mount_at, how);
			else if (what == COMPACT)
				teller_compacts(&w);
			else
				teller_writes(&w);
		}
	}
	(void)close(ends[1]);
	if (story_dice(3) > 0 && (running[2] = story_fork()) == 0)
		sync_beside();
	story_sleep((long)story_dice(what == WRITE ? 20000 : 40000));
	/*
	 * XFS: the sync of a directory says 0 also when the file system was shut down since the directory was changed (found 2026-11-21, Linux 6.18), where a machine without power
	 * says nothing any more.  So of names only those are certain that were told before.
	 */
	if (ioctl(ends[0], FIONREAD, &told) != 0 || !shut_down())
		bail("shutdown");
	for (i = 0; i < 3; i++)
		if (running[i] > 0) {
			story_kill(running[i]);
			running[i] = 0;
		}
	ack = story_acks(ends[0], &acks);
	surely = strcmp(fs, "xfs") == 0 ? (size_t)told / sizeof *ack : acks;
	(void)close(ends[0]);
	power_up();
	if (what == CREATE) {
		temporaries += story_check_creations(mount_at, next_id, how, s, ack, acks, surely);
		created += (unsigned)acks;
	} else {
		(void)story_check(s, ack, acks, surely, NULL, writers);        /* all went at once */
		temporaries += story_temporaries(mount_at);
		torn += s->torn;
		commits += (unsigned)(s->last - before);
		acknowledged += (unsigned)acks;
		unacknowledged += s->last - before > acks;
	}
	free(ack);
	next_id += writers;
}

/* Whether what nobody synced is really gone after a cut: else all of this proves nothing. */
static bool
loses_the_cache(void)
{
	static char bytes[65536];
	char path[160];
	struct stat st;
	int fd;
	bool kept;

	(void)snprintf(path, sizeof path, "%s/cached", mount_at);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || pwrite(fd, "synced", 6, 0) != 6 || fsync(fd) != 0 || pwrite(fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes || close(fd) != 0)
		bail("a file on the disk");
	if (!shut_down())
		return false;
	power_up();
	fd = open(path, O_RDONLY | O_CLOEXEC);
	kept = fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 6 && pread(fd, bytes, 6, 0) == 6 && memcmp(bytes, "synced", 6) == 0;
	if (fd >= 0)
		(void)close(fd);
	return kept;
}

int
main(void)
{
	const char *env = getenv("SEED"), *tmp = tap_folder();
	unsigned long long shown = env == NULL ? 20261121 : strtoull(env, NULL, 10);
	unsigned cuts = 100, i, files = 0;
	struct sigaction action = { .sa_handler = on_signal };
	struct story *s;
	int loop;

	if (getenv("FS") != NULL)
		fs = getenv("FS");
	env = getenv("CUTS");
	if (env != NULL && strtoul(env, NULL, 10) > 0)
		cuts = (unsigned)strtoul(env, NULL, 10);
	if (strcmp(fs, "ext4") != 0 && strcmp(fs, "xfs") != 0)
		return skip("FS is ext4 or xfs, not", fs);
	if (geteuid() != 0)
		return skip("power cuts need root", "");
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return skip("no mount namespace", strerror(errno));
	(void)snprintf(mount_at, sizeof mount_at, "%.80s/otr-power-XXXXXX", tmp);
	if (mkdtemp(mount_at) == NULL)
		return skip("no directory to mount on", tmp);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	story_prepare();
	story_power = true;
	story_seed = shown * 2 + 1;
	loop = attach(tmp, (strcmp(fs, "xfs") == 0 ? 320 : 64) << 20);
	if (loop < 0)
		return skip("no loop device", strerror(errno));
	if (!make_fs())
		return skip("cannot make the file system: no mkfs", fs);
	if (!mount_fs())
		return skip("cannot mount a loop device", strerror(errno));
	printf("# SEED=%llu\n", shown);
	if (!CHECK(loses_the_cache(), "what is not synced is gone after a cut, and what is synced is there"))
		bail("no power cut");

	s = story_begin(mount_at, files++);
	for (i = 0; i < cuts && story_bad == 0; i++) {
		static const enum what plan[10] = { WRITE, WRITE, WRITE, WRITE_TWICE, CREATE, WRITE, WRITE, CREATE, WRITE, COMPACT };
		enum what what = plan[i % 10];

		cut(s, what == WRITE_TWICE && s->round_robin ? WRITE : what, i);
		if (story_is_long(s) || i % 20 == 19) {
			(void)unlink(s->path);
			story_end(s);
			s = story_begin(mount_at, files++);
		}
	}
	CHECK(story_bad == 0, "P1, P2, P9: after a power cut the last acknowledged version is there or the one after it, whole; so are created files");
	CHECK(cuts < 20 || acknowledged > cuts / 10, "writers came to commit before the cut");
	printf("# %u cuts on %s, %u files, %u commits, %u acknowledged, %u that were not; %u creations; %u torn slots, %u temporary names\n", i, fs, files, commits,
	    acknowledged, unacknowledged, created, torn, temporaries);
	story_end(s);
	if (umount(mount_at) != 0)
		(void)umount2(mount_at, MNT_DETACH);
	(void)close(loop);
	(void)rmdir(mount_at);
	return tap_done();
}
