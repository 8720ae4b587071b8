/* presend from C, end to end. Compiled as C and as C++, run as it is, under ASan
 * with UBSan, and under valgrind.
 *
 *     suite ROOT PIXELS
 *
 * ROOT is the project's folder, PIXELS the official test picture by rgba.py. */

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "presend.h"

static const char *root;
static const char *pixels_path;
static int checks;

#define CHECK(what) \
    do { \
        checks++; \
        if (!(what)) { \
            fprintf(stderr, "%s:%d: %s (last error: %s)\n", __func__, __LINE__, #what, \
                    presend_last_error()); \
            exit(1); \
        } \
    } while (0)

typedef struct {
    uint8_t *data;
    size_t length;
} file;

static const char *below(const char *path) {
    static char joined[8][4096];
    static int next;
    char *out = joined[next++ % 8];
    snprintf(out, sizeof joined[0], "%s/%s", root, path);
    return out;
}

static file read_file(const char *path) {
    FILE *stream = fopen(path, "rb");
    CHECK(stream != NULL);
    fseek(stream, 0, SEEK_END);
    file read = {NULL, (size_t)ftell(stream)};
    rewind(stream);
    read.data = (uint8_t *)malloc(read.length + 1);
    CHECK(fread(read.data, 1, read.length, stream) == read.length);
    fclose(stream);
    return read;
}

static presend_options options(void) {
    presend_options made;
    memset(&made, 0, sizeof made);
    made.struct_size = sizeof made;
    return made;
}

static presend_frame frame(const uint8_t *pixels, uint32_t width, uint32_t height, uint32_t layout) {
    presend_frame made;
    memset(&made, 0, sizeof made);
    made.struct_size = sizeof made;
    made.pixels = pixels;
    made.length = (size_t)width * height * layout;
    made.width = width;
    made.height = height;
    made.layout = layout;
    return made;
}

static presend_scanner *scanner_with(uint32_t threads, uint32_t waiting) {
    presend_builder *builder = presend_builder_new();
    presend_scanner *built = NULL;
    CHECK(presend_builder_queue(builder, threads, waiting) == PRESEND_OK);
    CHECK(presend_builder_list_path(builder, below("hashlists/demo/demo.presend")) == PRESEND_OK);
    CHECK(presend_builder_build(builder, &built) == PRESEND_OK && built);
    presend_builder_free(builder);
    return built;
}

static presend_scanner *scanner(void) {
    return scanner_with(0, 0);
}

static presend_finding first(const presend_report *report) {
    presend_finding finding;
    memset(&finding, 0, sizeof finding);
    finding.struct_size = sizeof finding;
    CHECK(presend_report_finding(report, 0, &finding) == PRESEND_OK);
    return finding;
}

static int has(presend_report *report, const char *code) {
    presend_finding finding;
    memset(&finding, 0, sizeof finding);
    finding.struct_size = sizeof finding;
    for (size_t n = 0; presend_report_finding(report, n, &finding) == PRESEND_OK; n++)
        if (strcmp(finding.code, code) == 0) return 1;
    return 0;
}

/* The verdict of a report, which is freed, and whether its first finding has this code. */
static int32_t ends(presend_report *report, const char *code) {
    int32_t verdict = presend_report_verdict(report);
    if (code) CHECK(strcmp(first(report).code, code) == 0);
    presend_report_free(report);
    return verdict;
}

static void the_test_picture_is_blocked_from_bytes_a_path_and_a_descriptor(void) {
    presend_scanner *scans = scanner();
    const char *path = below("tests/data/media/test-picture.png");
    file picture = read_file(path);
    presend_report *report = NULL;
    CHECK(presend_scan_bytes(scans, picture.data, picture.length, NULL, &report) == PRESEND_OK);

    presend_summary summary;
    memset(&summary, 0xff, sizeof summary);
    summary.struct_size = sizeof summary;
    CHECK(presend_report_summary(report, &summary) == PRESEND_OK);
    CHECK(summary.verdict == PRESEND_BLOCK && summary.frames == 1 && summary.inferences == 0);
    CHECK(summary.width == 512 && summary.height == 512 && summary.findings == 3);
    presend_finding finding = first(report);
    CHECK(strcmp(finding.rule, "list.default.exact") == 0 && strcmp(finding.list, "demo") == 0);
    CHECK(finding.verdict == PRESEND_BLOCK && finding.list_version == 1 && finding.score < 0);
    CHECK(strstr(finding.text, "list demo") != NULL);
    CHECK(presend_report_finding(report, 3, &finding) == PRESEND_BAD_ARGUMENT);

    CHECK(presend_clearance_check(report, picture.data, picture.length) == PRESEND_OK);
    CHECK(presend_clearance_check(report, picture.data, picture.length - 1) == PRESEND_NOT_SCANNED);
    picture.data[40] ^= 1;
    CHECK(presend_clearance_check(report, picture.data, picture.length) == PRESEND_NOT_SCANNED);
    int fd = open(path, O_RDONLY);
    CHECK(presend_clearance_check_fd(report, fd) == PRESEND_OK);
    CHECK(presend_clearance_check_fd(report, fd) == PRESEND_NOT_SCANNED); /* at its end */
    CHECK(ends(report, "list.exact") == PRESEND_BLOCK);

    CHECK(presend_scan_path(scans, path, NULL, &report) == PRESEND_OK);
    CHECK(ends(report, "list.exact") == PRESEND_BLOCK);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    CHECK(presend_scan_fd(scans, fd, NULL, &report) == PRESEND_OK);
    CHECK(ends(report, "list.exact") == PRESEND_BLOCK);
    CHECK(close(fd) == 0); /* it was left open */

    path = below("tests/data/media/test-picture-halved-q50.jpg");
    CHECK(presend_scan_path(scans, path, NULL, &report) == PRESEND_OK);
    CHECK(ends(report, "list.near") == PRESEND_BLOCK);
    CHECK(presend_scan_path(scans, below("tests/data/media/waves.jpg"), NULL, &report) == PRESEND_OK);
    CHECK(ends(report, NULL) == PRESEND_ALLOW);
    CHECK(presend_scan_path(scans, below("tests/data/broken/truncated-baseline.jpg"), NULL, &report) == PRESEND_OK);
    CHECK(ends(report, "incomplete.truncated") == PRESEND_ASK);
    free(picture.data);
    presend_scanner_free(scans);
}

static void a_frame_is_read_with_its_stride_and_turn(void) {
    presend_scanner *scans = scanner();
    file pixels = read_file(pixels_path);
    presend_frame tight = frame(pixels.data, 512, 512, PRESEND_RGBA8);
    presend_report *report = NULL;
    const uint8_t heic[] = "the file";
    CHECK(presend_scan_frame(scans, &tight, heic, sizeof heic, NULL, &report) == PRESEND_OK);
    CHECK(presend_clearance_check(report, heic, sizeof heic) == PRESEND_OK);
    CHECK(ends(report, "list.near") == PRESEND_BLOCK);

    /* Rows with other things between them; the last row has nothing behind it. */
    size_t stride = 512 * 4 + 76;
    uint8_t *wide = (uint8_t *)malloc(stride * 511 + 512 * 4);
    memset(wide, 0x5a, stride * 511 + 512 * 4);
    for (size_t y = 0; y < 512; y++) memcpy(wide + y * stride, pixels.data + y * 512 * 4, 512 * 4);
    presend_frame apart = frame(wide, 512, 512, PRESEND_RGBA8);
    apart.stride = stride;
    apart.length = stride * 511 + 512 * 4;
    CHECK(presend_scan_frame(scans, &apart, heic, sizeof heic, NULL, &report) == PRESEND_OK);
    CHECK(ends(report, "list.near") == PRESEND_BLOCK);
    apart.stride = 0; /* what lies between the rows is now in the picture */
    CHECK(presend_scan_frame(scans, &apart, heic, sizeof heic, NULL, &report) == PRESEND_OK);
    CHECK(ends(report, NULL) == PRESEND_ALLOW);

    apart.stride = stride;
    apart.length--;
    CHECK(presend_scan_frame(scans, &apart, heic, sizeof heic, NULL, &report) == PRESEND_BAD_ARGUMENT);
    CHECK(report == NULL);
    presend_frame bad = tight;
    bad.layout = 5;
    CHECK(presend_scan_frame(scans, &bad, heic, sizeof heic, NULL, &report) == PRESEND_BAD_ARGUMENT);
    bad = tight;
    bad.orientation = 9;
    CHECK(presend_scan_frame(scans, &bad, heic, sizeof heic, NULL, &report) == PRESEND_BAD_ARGUMENT);
    bad = tight;
    bad.stride = 512 * 4 - 1;
    CHECK(presend_scan_frame(scans, &bad, heic, sizeof heic, NULL, &report) == PRESEND_BAD_ARGUMENT);
    bad = tight;
    bad.width = bad.height = 0xffffffff;
    CHECK(presend_scan_frame(scans, &bad, heic, sizeof heic, NULL, &report) == PRESEND_BAD_ARGUMENT);
    bad = tight;
    bad.height = 0;
    CHECK(presend_scan_frame(scans, &bad, heic, sizeof heic, NULL, &report) == PRESEND_BAD_ARGUMENT);
    free(wide);
    free(pixels.data);
    presend_scanner_free(scans);
}

struct answers {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int32_t verdicts[4];
    int busy, large;
    int count;
    pthread_t thread;
    pthread_mutex_t *held; /* while a scan calls back */
};

static struct answers none_yet(pthread_mutex_t *held) {
    struct answers answers;
    memset(&answers, 0, sizeof answers);
    pthread_mutex_init(&answers.lock, NULL);
    pthread_cond_init(&answers.changed, NULL);
    answers.held = held;
    return answers;
}

static void done(void *user_data, presend_report *report) {
    struct answers *answers = (struct answers *)user_data;
    presend_finding finding = first(report);
    if (answers->held && strcmp(finding.code, "incomplete.busy") != 0) {
        pthread_mutex_lock(answers->held);
        pthread_mutex_unlock(answers->held);
    }
    pthread_mutex_lock(&answers->lock);
    answers->busy += strcmp(finding.code, "incomplete.busy") == 0;
    answers->large += strcmp(finding.code, "incomplete.too-many-bytes") == 0;
    answers->verdicts[answers->count++] = report ? presend_report_verdict(report) : -1;
    answers->thread = pthread_self();
    pthread_cond_signal(&answers->changed);
    pthread_mutex_unlock(&answers->lock);
    presend_report_free(report);
}

static void a_started_scan_calls_back_once_from_another_thread(void) {
    presend_scanner *scans = scanner();
    file picture = read_file(below("tests/data/media/test-picture.png"));
    struct answers answers = none_yet(NULL);
    CHECK(presend_scan_start(scans, picture.data, picture.length, NULL, NULL, &answers) == PRESEND_BAD_ARGUMENT);
    for (int n = 0; n < 3; n++)
        CHECK(presend_scan_start(scans, picture.data, picture.length, NULL, done, &answers) == PRESEND_OK);
    /* Both were copied or are kept alive by what runs. */
    memset(picture.data, 0, picture.length);
    free(picture.data);
    presend_scanner_free(scans);
    pthread_mutex_lock(&answers.lock);
    while (answers.count < 3) pthread_cond_wait(&answers.changed, &answers.lock);
    for (int n = 0; n < 3; n++) CHECK(answers.verdicts[n] == PRESEND_BLOCK);
    CHECK(!pthread_equal(answers.thread, pthread_self()));
    pthread_mutex_unlock(&answers.lock);
}

static void the_queue_is_as_long_as_it_was_built(void) {
    presend_scanner *scans = scanner_with(1, 2);
    file picture = read_file(below("tests/data/media/test-picture.png"));
    pthread_mutex_t held;
    pthread_mutex_init(&held, NULL);
    pthread_mutex_lock(&held);
    struct answers answers = none_yet(&held);
    /* One runs, two wait, one is too many. */
    for (int n = 0; n < 4; n++)
        CHECK(presend_scan_start(scans, picture.data, picture.length, NULL, done, &answers) == PRESEND_OK);
    CHECK(answers.count == 1 && answers.busy == 1 && answers.verdicts[0] == PRESEND_ASK);
    CHECK(pthread_equal(answers.thread, pthread_self()));
    pthread_mutex_unlock(&held);
    pthread_mutex_lock(&answers.lock);
    while (answers.count < 4) pthread_cond_wait(&answers.changed, &answers.lock);
    CHECK(answers.busy == 1 && answers.verdicts[3] == PRESEND_BLOCK);
    pthread_mutex_unlock(&answers.lock);
    CHECK(presend_builder_queue(NULL, 1, 1) == PRESEND_BAD_ARGUMENT);
    free(picture.data);
    presend_scanner_free(scans);
}

/* KB, at most, so far. */
static long memory(void) {
    struct rusage usage;
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    return usage.ru_maxrss;
}

static void what_is_too_large_is_answered_without_a_copy(void) {
    presend_scanner *scans = scanner_with(1, 1);
    struct answers answers = none_yet(NULL);
    size_t length = (size_t)512 << 20;
    uint8_t *large = (uint8_t *)calloc(1, length);
    presend_options with = options();
    with.input_bytes = length - 1;
    long before = memory();
    CHECK(presend_scan_start(scans, large, length, &with, done, &answers) == PRESEND_OK);
    pthread_mutex_lock(&answers.lock);
    while (answers.count < 1) pthread_cond_wait(&answers.changed, &answers.lock);
    CHECK(answers.verdicts[0] == PRESEND_ASK && answers.large == 1);
    pthread_mutex_unlock(&answers.lock);
    CHECK(memory() - before < 256 * 1024);
    free(large);
    presend_scanner_free(scans);
}

struct frame_scan {
    presend_scanner *scans;
    presend_frame pixels;
    presend_options with;
    presend_report *report;
};

static void *scan_a_frame(void *user_data) {
    struct frame_scan *scan = (struct frame_scan *)user_data;
    CHECK(presend_scan_frame(scan->scans, &scan->pixels, (const uint8_t *)"file", 4, &scan->with,
                             &scan->report) == PRESEND_OK);
    return NULL;
}

/* 64 million pixels: the file's bytes are read long before the picture was seen. */
static void a_cancel_stops_a_scan_that_runs(void) {
    uint8_t *large = (uint8_t *)calloc(8000, 8000);
    struct frame_scan scan = {scanner(), frame(large, 8000, 8000, PRESEND_LUMA8), options(), NULL};
    long wait = 20000000;
    int met = 0;
    for (int attempt = 0; attempt < 100 && !met; attempt++) {
        presend_cancel *cancel = presend_cancel_new();
        scan.with.cancel = cancel;
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, scan_a_frame, &scan) == 0);
        struct timespec pause = {wait / 1000000000, wait % 1000000000};
        nanosleep(&pause, NULL);
        presend_cancel_now(cancel);
        pthread_join(thread, NULL);
        presend_cancel_free(cancel);
        presend_summary summary;
        memset(&summary, 0, sizeof summary);
        summary.struct_size = sizeof summary;
        CHECK(presend_report_summary(scan.report, &summary) == PRESEND_OK);
        int began = summary.frames == 1 &&
                    presend_clearance_check(scan.report, (const uint8_t *)"file", 4) == PRESEND_OK;
        int stopped = strcmp(first(scan.report).code, "incomplete.cancelled") == 0;
        met = began && stopped;
        CHECK(!stopped || summary.verdict == PRESEND_ASK);
        wait = stopped ? wait + wait / 2 : wait / 2;
        presend_report_free(scan.report);
    }
    CHECK(met);
    free(large);
    presend_scanner_free(scan.scans);
}

static void a_cancel_a_deadline_and_a_limit_end_a_scan_as_an_ask(void) {
    presend_scanner *scans = scanner();
    file picture = read_file(below("tests/data/media/waves.jpg"));
    presend_report *report = NULL;
    presend_cancel *cancel = presend_cancel_new();
    presend_options with = options();
    with.cancel = cancel;
    CHECK(presend_scan_bytes(scans, picture.data, picture.length, &with, &report) == PRESEND_OK);
    CHECK(ends(report, NULL) == PRESEND_ALLOW);
    presend_cancel_now(cancel);
    CHECK(presend_scan_bytes(scans, picture.data, picture.length, &with, &report) == PRESEND_OK);
    CHECK(presend_clearance_check(report, picture.data, picture.length) == PRESEND_NOT_SCANNED);
    CHECK(ends(report, "incomplete.cancelled") == PRESEND_ASK);
    presend_cancel_free(cancel);

    /* 64 MB take longer than a millisecond to read. */
    uint8_t *large = (uint8_t *)calloc(8000, 8000);
    presend_frame pixels = frame(large, 8000, 8000, PRESEND_LUMA8);
    with = options();
    with.time_ms = 1;
    CHECK(presend_scan_frame(scans, &pixels, picture.data, 1, &with, &report) == PRESEND_OK);
    CHECK(ends(report, "incomplete.deadline-passed") == PRESEND_ASK);
    free(large);

    with = options();
    with.input_bytes = picture.length - 1;
    CHECK(presend_scan_bytes(scans, picture.data, picture.length, &with, &report) == PRESEND_OK);
    CHECK(ends(report, "incomplete.too-many-bytes") == PRESEND_ASK);
    CHECK(presend_scan_path(scans, below("tests/data/media/waves.jpg"), &with, &report) == PRESEND_OK);
    CHECK(ends(report, "incomplete.too-many-bytes") == PRESEND_ASK);
    with.input_bytes = picture.length;
    CHECK(presend_scan_path(scans, below("tests/data/media/waves.jpg"), &with, &report) == PRESEND_OK);
    CHECK(ends(report, NULL) == PRESEND_ALLOW);
    with = options();
    with.pixels = 1;
    CHECK(presend_scan_bytes(scans, picture.data, picture.length, &with, &report) == PRESEND_OK);
    CHECK(ends(report, "incomplete.too-many-pixels") == PRESEND_ASK);
    with = options();
    with.memory = 1;
    CHECK(presend_scan_bytes(scans, picture.data, picture.length, &with, &report) == PRESEND_OK);
    CHECK(ends(report, "incomplete.too-much-memory") == PRESEND_ASK);
    free(picture.data);
    presend_scanner_free(scans);
}

static void structs_may_grow_and_wrong_sizes_are_refused(void) {
    presend_scanner *scans = scanner();
    const uint8_t byte = 0;
    presend_report *report = NULL;
    /* From a later header, with a field that is not used, and with one that is. */
    struct {
        presend_options known;
        uint64_t later;
    } grown;
    memset(&grown, 0, sizeof grown);
    grown.known.struct_size = sizeof grown;
    CHECK(presend_scan_bytes(scans, &byte, 1, &grown.known, &report) == PRESEND_OK);
    presend_report_free(report);
    grown.later = 1;
    CHECK(presend_scan_bytes(scans, &byte, 1, &grown.known, &report) == PRESEND_BAD_SIZE);
    CHECK(report == NULL);
    const size_t sizes[] = {0, 8, sizeof(presend_options) - 1, (size_t)1 << 40};
    for (size_t n = 0; n < 4; n++) {
        grown.known.struct_size = sizes[n];
        CHECK(presend_scan_bytes(scans, &byte, 1, &grown.known, &report) == PRESEND_BAD_SIZE);
    }
    /* What is reserved may mean something to a later version. */
    presend_options odd = options();
    odd.reserved = 1;
    CHECK(presend_scan_bytes(scans, &byte, 1, &odd, &report) == PRESEND_BAD_ARGUMENT && !report);
    presend_session_options odder = {sizeof odder, 0, 0, 1};
    presend_session *session = NULL;
    CHECK(presend_session_new(scans, &odder, NULL, &session) == PRESEND_BAD_ARGUMENT && !session);
    struct {
        presend_summary known;
        uint64_t later;
    } summary;
    memset(&summary, 0x77, sizeof summary);
    summary.known.struct_size = sizeof summary;
    CHECK(presend_scan_bytes(scans, &byte, 1, NULL, &report) == PRESEND_OK);
    CHECK(presend_report_summary(report, &summary.known) == PRESEND_OK);
    CHECK(summary.known.verdict == PRESEND_ASK && summary.later == 0x7777777777777777);
    CHECK(summary.known.struct_size == sizeof summary);
    presend_report_free(report);
    presend_scanner_free(scans);
}

static void null_is_answered(void) {
    presend_scanner *scans = scanner();
    presend_report *report = (presend_report *)scans;
    CHECK(presend_scan_bytes(NULL, NULL, 0, NULL, &report) == PRESEND_BAD_ARGUMENT && !report);
    CHECK(presend_scan_bytes(scans, NULL, 0, NULL, NULL) == PRESEND_BAD_ARGUMENT);
    CHECK(presend_scan_bytes(scans, NULL, 1, NULL, &report) == PRESEND_BAD_ARGUMENT);
    CHECK(presend_scan_bytes(scans, NULL, 0, NULL, &report) == PRESEND_OK);
    CHECK(ends(report, NULL) == PRESEND_ASK);
    CHECK(presend_scan_path(scans, NULL, NULL, &report) == PRESEND_BAD_ARGUMENT);
    CHECK(presend_scan_fd(scans, -1, NULL, &report) == PRESEND_BAD_ARGUMENT);
    CHECK(presend_scan_frame(scans, NULL, NULL, 0, NULL, &report) == PRESEND_BAD_ARGUMENT);
    CHECK(presend_report_verdict(NULL) == PRESEND_ASK);
    CHECK(presend_clearance_check(NULL, NULL, 0) == PRESEND_BAD_ARGUMENT);
    CHECK(presend_session_is_due(NULL, 0) == 0);
    presend_scanner_free(scans);
    CHECK(presend_builder_build(NULL, &scans) == PRESEND_BAD_ARGUMENT && !scans);
    presend_report_free(NULL);
    presend_scanner_free(NULL);
    presend_builder_free(NULL);
    presend_session_free(NULL);
    presend_cancel_free(NULL);
    presend_cancel_now(NULL);
}

static void what_cannot_be_used_is_named_without_its_path(void) {
    presend_builder *builder = presend_builder_new();
    presend_scanner *built = NULL;
    CHECK(presend_builder_list_path(builder, below("none.presend")) == PRESEND_CANNOT_READ);
    CHECK(strstr(presend_last_error(), "not found") && !strstr(presend_last_error(), "none"));
    CHECK(presend_builder_list_bytes(builder, (const uint8_t *)"x", 1) == PRESEND_BAD_LIST);
    CHECK(presend_builder_model_path(builder, below("tests/data")) == PRESEND_BAD_MODEL);
    CHECK(!strstr(presend_last_error(), root));
    CHECK(presend_builder_policy(builder, "low-quality = 1") == PRESEND_BAD_POLICY);
    CHECK(strstr(presend_last_error(), "line 1"));
    CHECK(presend_builder_policy(builder, "\xff") == PRESEND_BAD_ARGUMENT);
    CHECK(presend_builder_preset(builder, "none") == PRESEND_BAD_POLICY);
    file list = read_file(below("hashlists/demo/demo.presend"));
    CHECK(presend_builder_list_bytes(builder, list.data, list.length) == PRESEND_OK);
    CHECK(presend_builder_list_bytes(builder, list.data, list.length) == PRESEND_OK);
    CHECK(presend_builder_build(builder, &built) == PRESEND_BAD_PARTS && !built);
    presend_builder_free(builder);
    free(list.data);

    presend_scanner *scans = scanner();
    presend_report *report = NULL;
    CHECK(presend_scanner_reload_path(scans, below("hashlists/demo/demo.presend")) == PRESEND_OK);
    CHECK(presend_scanner_reload_path(scans, below("Cargo.toml")) == PRESEND_BAD_LIST);
    CHECK(presend_scan_path(scans, below("tests/data/media/none.jpg"), NULL, &report) == PRESEND_CANNOT_READ);
    CHECK(!report && !strstr(presend_last_error(), "none"));
    presend_scanner_free(scans);
}

/* All of these would be waited for, or never end. */
static void what_is_no_regular_file_is_refused_at_once(void) {
    presend_scanner *scans = scanner();
    presend_report *report = NULL;
    presend_builder *builder = presend_builder_new();
    char pipe_path[] = "/tmp/presend-XXXXXX/pipe";
    char *end = strrchr(pipe_path, '/');
    *end = 0;
    CHECK(mkdtemp(pipe_path) != NULL);
    *end = '/';
    CHECK(mkfifo(pipe_path, 0600) == 0);
    int ends[2];
    CHECK(pipe(ends) == 0);
    int zero = open("/dev/zero", O_RDONLY);
    const char *paths[] = {pipe_path, "/dev/zero", root};
    for (int n = 0; n < 3; n++) {
        CHECK(presend_scan_path(scans, paths[n], NULL, &report) == PRESEND_CANNOT_READ && !report);
        CHECK(strstr(presend_last_error(), "a pipe") && !strstr(presend_last_error(), paths[n]));
        CHECK(presend_builder_list_path(builder, paths[n]) == PRESEND_CANNOT_READ);
        CHECK(presend_scanner_reload_path(scans, paths[n]) == PRESEND_CANNOT_READ);
    }
    CHECK(presend_scan_bytes(scans, NULL, 0, NULL, &report) == PRESEND_OK);
    const int fds[] = {ends[0], zero};
    for (int n = 0; n < 2; n++) {
        presend_report *none = NULL;
        CHECK(presend_scan_fd(scans, fds[n], NULL, &none) == PRESEND_CANNOT_READ && !none);
        CHECK(presend_clearance_check_fd(report, fds[n]) == PRESEND_CANNOT_READ);
    }
    presend_report_free(report);
    close(ends[0]);
    close(ends[1]);
    close(zero);
    CHECK(unlink(pipe_path) == 0);
    *end = 0;
    CHECK(rmdir(pipe_path) == 0);
    presend_builder_free(builder);
    presend_scanner_free(scans);
}

static void a_model_looks_and_the_policy_gives_it_meaning(void) {
    const char *policy =
        "low-quality = 'allow'\n[no-data]\nlist = 'allow'\nmodel = 'ask'\n"
        "[list.default]\nexact = 'block'\nnear = 'block'\n[label.red]\nwarn = 0.9\n"
        "[incomplete]\ndefault = 'ask'\n[unsupported]\ndefault = 'ask'\n";
    uint8_t red[64 * 4];
    for (int n = 0; n < 64; n++) memcpy(red + 4 * n, "\xdc\x14\x14\xff", 4);
    presend_frame pixels = frame(red, 8, 8, PRESEND_RGBA8);
    file parts[4];
    const char *names[] = {"model.toml", "model.onnx", "dusk.png", "moss.png"};
    for (int n = 0; n < 4; n++) {
        char path[64];
        snprintf(path, sizeof path, "tests/data/models/mean-colour-1/%s", names[n]);
        parts[n] = read_file(below(path));
    }
    presend_bytes toml = {parts[0].data, parts[0].length}, onnx = {parts[1].data, parts[1].length};
    presend_bytes goldens[] = {{parts[2].data, parts[2].length}, {parts[3].data, parts[3].length}};
    for (int from_bytes = 0; from_bytes < 2; from_bytes++) {
        presend_builder *builder = presend_builder_new();
        presend_scanner *scans = NULL;
        presend_report *report = NULL;
        CHECK(presend_builder_policy(builder, policy) == PRESEND_OK);
        if (from_bytes)
            CHECK(presend_builder_model_bytes(builder, toml, onnx, goldens, 2) == PRESEND_OK);
        else
            CHECK(presend_builder_model_path(builder, below("tests/data/models/mean-colour-1")) == PRESEND_OK);
        CHECK(presend_builder_model_bytes(builder, toml, toml, goldens, 2) == PRESEND_BAD_MODEL);
        CHECK(presend_builder_model_bytes(builder, toml, onnx, NULL, 2) == PRESEND_BAD_ARGUMENT);
        CHECK(presend_builder_build(builder, &scans) == PRESEND_OK);
        CHECK(presend_scan_frame(scans, &pixels, red, sizeof red, NULL, &report) == PRESEND_OK);
        presend_finding finding = first(report);
        CHECK(finding.score > 0.9f && finding.score <= 1 && strcmp(finding.code, "label.red") == 0);
        CHECK(ends(report, "label.red") == PRESEND_WARN);
        presend_builder_free(builder);
        presend_scanner_free(scans);
    }
    for (int n = 0; n < 4; n++) free(parts[n].data);
}

static void a_session_has_a_verdict_at_any_time(void) {
    presend_scanner *scans = scanner();
    file pixels = read_file(pixels_path), film = read_file(below("tests/data/media/test-picture.png"));
    uint8_t grey[64 * 64];
    for (int n = 0; n < 64 * 64; n++) grey[n] = (uint8_t)(((n % 64) * 3) ^ ((n / 64) * 5));
    presend_frame plain = frame(grey, 64, 64, PRESEND_LUMA8);
    presend_frame listed = frame(pixels.data, 512, 512, PRESEND_RGBA8);
    presend_session *session = NULL;
    presend_report *report = NULL;
    presend_session_options often = {sizeof often, 100000, 0, 0};
    int32_t verdict = -1;

    CHECK(presend_session_new(scans, &often, NULL, &session) == PRESEND_OK);
    CHECK(presend_session_is_due(session, 0) == 1);
    CHECK(presend_session_push_frame(session, &plain, 0, &verdict) == PRESEND_OK && verdict == PRESEND_ALLOW);
    CHECK(presend_session_is_due(session, 50000) == 0 && presend_session_is_due(session, 100000) == 1);
    CHECK(presend_session_push_frame(session, &listed, 50000, &verdict) == PRESEND_OK && verdict == PRESEND_ALLOW);
    CHECK(presend_session_push_frame(session, &listed, 100000, &verdict) == PRESEND_OK && verdict == PRESEND_BLOCK);
    CHECK(presend_session_push_bytes(session, film.data, 1000) == PRESEND_OK);
    CHECK(presend_session_push_bytes(session, film.data + 1000, film.length - 1000) == PRESEND_OK);
    CHECK(presend_session_finish(session, &report) == PRESEND_OK);
    CHECK(presend_clearance_check(report, film.data, film.length) == PRESEND_OK);
    presend_summary summary;
    memset(&summary, 0, sizeof summary);
    summary.struct_size = sizeof summary;
    CHECK(presend_report_summary(report, &summary) == PRESEND_OK && summary.frames == 2);
    CHECK(ends(report, "list.near") == PRESEND_BLOCK);
    CHECK(presend_session_finish(session, &report) == PRESEND_ENDED && !report);
    CHECK(presend_session_push_frame(session, &plain, 0, NULL) == PRESEND_ENDED);
    CHECK(presend_session_push_bytes(session, NULL, 0) == PRESEND_ENDED);
    presend_session_free(session);

    /* What is refused was not seen. */
    CHECK(presend_session_new(scans, NULL, NULL, &session) == PRESEND_OK);
    presend_frame narrow = plain;
    narrow.stride = 63;
    CHECK(presend_session_push_frame(session, &narrow, 0, &verdict) == PRESEND_BAD_ARGUMENT && verdict == PRESEND_ASK);
    CHECK(presend_session_push_frame(session, &plain, 0, &verdict) == PRESEND_OK && verdict == PRESEND_ASK);
    CHECK(presend_session_push_frame(session, &listed, 1000000, &verdict) == PRESEND_OK && verdict == PRESEND_BLOCK);
    CHECK(presend_session_push_frame(session, NULL, 2000000, &verdict) == PRESEND_BAD_ARGUMENT && verdict == PRESEND_BLOCK);
    CHECK(presend_session_push_bytes(session, film.data, film.length) == PRESEND_OK);
    CHECK(presend_session_push_bytes(session, NULL, 1) == PRESEND_BAD_ARGUMENT);
    CHECK(presend_session_finish(session, &report) == PRESEND_OK);
    CHECK(presend_clearance_check(report, film.data, film.length) == PRESEND_NOT_SCANNED);
    CHECK(has(report, "incomplete.internal"));
    CHECK(ends(report, "list.near") == PRESEND_BLOCK);
    CHECK(presend_session_push_frame(session, &plain, 0, &verdict) == PRESEND_ENDED && verdict == PRESEND_ASK);
    presend_session_free(session);

    presend_options two = options();
    two.frames = 2;
    CHECK(presend_session_new(scans, NULL, &two, &session) == PRESEND_OK);
    for (uint64_t n = 0; n < 3; n++)
        CHECK(presend_session_push_frame(session, &plain, n * 1000000, &verdict) == PRESEND_OK);
    CHECK(verdict == PRESEND_ASK);
    CHECK(presend_session_finish(session, &report) == PRESEND_OK);
    CHECK(ends(report, "incomplete.too-many-frames") == PRESEND_ASK);
    presend_session_free(session);
    CHECK(presend_session_new(scans, NULL, NULL, &session) == PRESEND_OK);
    presend_session_free(session); /* given up */
    free(pixels.data);
    free(film.data);
    presend_scanner_free(scans);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    root = arguments[1];
    pixels_path = arguments[2];
    CHECK(presend_abi_version() == PRESEND_ABI_VERSION);
    the_test_picture_is_blocked_from_bytes_a_path_and_a_descriptor();
    a_frame_is_read_with_its_stride_and_turn();
    a_started_scan_calls_back_once_from_another_thread();
    the_queue_is_as_long_as_it_was_built();
    what_is_too_large_is_answered_without_a_copy();
    a_cancel_stops_a_scan_that_runs();
    a_cancel_a_deadline_and_a_limit_end_a_scan_as_an_ask();
    structs_may_grow_and_wrong_sizes_are_refused();
    null_is_answered();
    what_cannot_be_used_is_named_without_its_path();
    what_is_no_regular_file_is_refused_at_once();
    a_model_looks_and_the_policy_gives_it_meaning();
    a_session_has_a_verdict_at_any_time();
    printf("13 tests, %d checks passed\n", checks);
    return 0;
}
