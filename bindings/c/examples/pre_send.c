/* Between the send button and the encryption: scan off the main thread, show the
 * person what was found, and encrypt only what was scanned.
 *
 *     pre_send LIST PICTURE
 *
 * Exits 0 if the picture may go, 1 if not, 2 if it cannot be scanned. */

#include <stdio.h>
#include <stdlib.h>

#include <pthread.h>

#include "presend.h"

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    presend_report *report;
    int is_done;
};

/* On presend's thread; an app would post to its own loop here. */
static void done(void *user_data, presend_report *report) {
    struct waiting *waiting = (struct waiting *)user_data;
    pthread_mutex_lock(&waiting->lock);
    waiting->report = report;
    waiting->is_done = 1;
    pthread_cond_signal(&waiting->changed);
    pthread_mutex_unlock(&waiting->lock);
}

static unsigned char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) exit(2);
    long size = ftell(file);
    rewind(file);
    unsigned char *bytes = (unsigned char *)malloc(size > 0 ? (size_t)size : 1);
    if (!bytes || size < 0 || fread(bytes, 1, (size_t)size, file) != (size_t)size) exit(2);
    fclose(file);
    *length = (size_t)size;
    return bytes;
}

static void must(int32_t status) {
    if (status == PRESEND_OK) return;
    fprintf(stderr, "presend: %s\n", presend_last_error());
    exit(2);
}

int main(int count, char **arguments) {
    static const char *const verdicts[] = {"allow", "warn", "ask", "block"};
    if (count != 3 || presend_abi_version() != PRESEND_ABI_VERSION) return 2;

    /* Once, when the app starts. */
    presend_builder *builder = presend_builder_new();
    presend_scanner *scanner = NULL;
    must(presend_builder_list_path(builder, arguments[1]));
    must(presend_builder_build(builder, &scanner));
    presend_builder_free(builder);

    /* For every picture, and for its thumbnail. */
    size_t length = 0;
    unsigned char *bytes = read_file(arguments[2], &length);
    presend_options options = {0};
    options.struct_size = sizeof options;
    options.time_ms = 10000;
    struct waiting waiting = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0};
    must(presend_scan_start(scanner, bytes, length, &options, done, &waiting));
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.is_done) pthread_cond_wait(&waiting.changed, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);

    presend_report *report = waiting.report;
    int32_t verdict = presend_report_verdict(report);
    printf("%s\n", verdicts[verdict]);
    presend_finding finding = {0};
    finding.struct_size = sizeof finding;
    if (verdict != PRESEND_ALLOW && presend_report_finding(report, 0, &finding) == PRESEND_OK)
        printf("%s, by rule %s\n", finding.text, finding.rule);
    /* Just before encrypting. */
    int may_go = verdict == PRESEND_ALLOW && presend_clearance_check(report, bytes, length) == PRESEND_OK;

    presend_report_free(report);
    presend_scanner_free(scanner);
    free(bytes);
    return may_go ? 0 : 1;
}
