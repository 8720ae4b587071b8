/* presend: the check on a picture before it is encrypted and sent.
 *
 * Made by cbindgen from bindings/c/src; changed there.
 *
 * Handles come from a function that ends in _new, or through an `out` parameter,
 * and go by the one that ends in _free, once; freeing NULL does nothing. `out` is
 * NULL after any status but PRESEND_OK. A pointer to bytes may be NULL where the
 * length is 0. Text is UTF-8 and ends with a zero byte.
 *
 * A status other than PRESEND_OK is no verdict: do not send, ask the person.
 */

#ifndef PRESEND_H
#define PRESEND_H

#include <stddef.h>
#include <stdint.h>

// Changes when a program that was compiled with an earlier header would break.
// Compare it with presend_abi_version().
#define PRESEND_ABI_VERSION 1

// One byte a pixel: luma.
#define PRESEND_LUMA8 1

// Two: luma, straight alpha.
#define PRESEND_LUMA_ALPHA8 2

// Three: red, green, blue.
#define PRESEND_RGB8 3

// Four: red, green, blue, straight (not premultiplied) alpha.
#define PRESEND_RGBA8 4

// Send it.
#define PRESEND_ALLOW 0

// Tell the person, and send it unless they turn back.
#define PRESEND_WARN 1

// Send it only if the person confirms.
#define PRESEND_ASK 2

// Do not send it; show the person why.
#define PRESEND_BLOCK 3

// Done.
#define PRESEND_OK 0

// A parameter is NULL, out of range, or not UTF-8.
#define PRESEND_BAD_ARGUMENT 1

// struct_size is none that a version of presend had.
#define PRESEND_BAD_SIZE 2

// A file cannot be read.
#define PRESEND_CANNOT_READ 3

// The bytes are not a hash list that this version can use.
#define PRESEND_BAD_LIST 4

// The files are not a model that this version can use.
#define PRESEND_BAD_MODEL 5

// The text is not a policy.
#define PRESEND_BAD_POLICY 6

// The parts do not make a scanner, or the list does not replace one.
#define PRESEND_BAD_PARTS 7

// The bytes are not those that were scanned: do not send them.
#define PRESEND_NOT_SCANNED 8

// The session has ended.
#define PRESEND_ENDED 9

// The system has no thread more.
#define PRESEND_NO_THREAD 10

// A defect in presend, which was caught.
#define PRESEND_PANIC 11

// Gathers what a scanner needs. One thread at a time.
typedef struct presend_builder presend_builder;

// Cancels scans. All threads may use it. It cannot be reset.
typedef struct presend_cancel presend_cancel;

// The answer to one scan. It does not change, so all threads may read it.
typedef struct presend_report presend_report;

// Scans. All threads may use it at the same time. It has threads of its own for
// presend_scan_start, which begin with the first call.
typedef struct presend_scanner presend_scanner;

// A film or a live picture on its way. One thread at a time.
typedef struct presend_session presend_session;

// What follows, and what it cost.
typedef struct presend_summary {
  // sizeof(presend_summary), set by the caller
  size_t struct_size;
  // Microseconds from start to end.
  uint64_t time_us;
  // PRESEND_ALLOW to PRESEND_BLOCK
  int32_t verdict;
  // Findings, gravest first.
  uint32_t findings;
  // Displayed frames that were looked at.
  uint32_t frames;
  // Inferences of all models together.
  uint32_t inferences;
  // Width of the first frame, upright, in pixels; 0 if the host decoded it.
  uint32_t width;
  // Its height.
  uint32_t height;
} presend_summary;

// One thing that a scan found out. Its texts live as long as the report.
typedef struct presend_finding {
  // sizeof(presend_finding), set by the caller
  size_t struct_size;
  // A stable code, safe to log: `list.near`, `incomplete.truncated`, ...
  const char *code;
  // The rule of the policy that decided: `list.default.near`, ...
  const char *rule;
  // An English sentence, as safe to log as the code.
  const char *text;
  // The list's id; NULL unless a list matched.
  const char *list;
  // The list's version; 0 unless a list matched.
  uint64_t list_version;
  // What follows from this finding alone: PRESEND_ALLOW to PRESEND_BLOCK
  int32_t verdict;
  // A classifier's score, 0 to 1; negative unless a classifier spoke. Keep it out
  // of logs.
  float score;
} presend_finding;

// What one scan may spend. Zero stands for the default; so does NULL for the whole.
typedef struct presend_options {
  // sizeof(presend_options)
  size_t struct_size;
  // Milliseconds from the call to the deadline, the wait for a thread included.
  // Default: none.
  uint64_t time_ms;
  // Largest file, in bytes. Default 64 MiB.
  uint64_t input_bytes;
  // Pixels of all frames together. Default 100 million.
  uint64_t pixels;
  // Memory for decoding, in bytes. Default 512 MiB.
  uint64_t memory;
  // Cancels the scan from another thread, or NULL. It may be freed once the call
  // has returned.
  const struct presend_cancel *cancel;
  // Frames. Default 64.
  uint32_t frames;
  // 0
  uint32_t reserved;
} presend_options;

// Pixels, rows from top to bottom. They are read during the call alone.
typedef struct presend_frame {
  // sizeof(presend_frame)
  size_t struct_size;
  // The first pixel.
  const uint8_t *pixels;
  // Bytes that there are: at least stride * (height - 1) + width * bytes a pixel.
  size_t length;
  // Bytes from one row to the next; 0 if nothing lies between them.
  size_t stride;
  // Pixels in a row.
  uint32_t width;
  // Rows.
  uint32_t height;
  // PRESEND_LUMA8 to PRESEND_RGBA8
  uint32_t layout;
  // How the rows are turned to be upright: EXIF's Orientation, 1 to 8; 0 is 1.
  uint32_t orientation;
} presend_frame;

// Takes the report of a scan that was started, and has to free it. Called exactly
// once, on a thread of presend's, or on the caller's before presend_scan_start
// returns if too many scans wait. The report is NULL only if presend has a defect:
// that is no verdict, so ask the person. It must not throw.
typedef void (*presend_done)(void *user_data, struct presend_report *report);

// Bytes of the caller's.
typedef struct presend_bytes {
  // The first of them; NULL if there are none.
  const uint8_t *data;
  // How many.
  size_t length;
} presend_bytes;

// Which frames a session looks at, beside the first and the last. Zero stands for
// the default; so does NULL for the whole.
typedef struct presend_session_options {
  // sizeof(presend_session_options)
  size_t struct_size;
  // Microseconds from one frame that is looked at to the next. Default 1,000,000;
  // 1 looks at every frame.
  uint64_t every_us;
  // Frames that are passed over in a row, at most. Default 120.
  uint32_t passed_over;
  // 0
  uint32_t reserved;
} presend_session_options;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The interface that the loaded library has.
uint32_t presend_abi_version(void);

// One that was not cancelled.
struct presend_cancel *presend_cancel_new(void);

// Asks every scan that was given it to stop: each ends soon, with the finding
// incomplete.cancelled.
//
// # Safety
// `cancel` is NULL or a live handle.
void presend_cancel_now(const struct presend_cancel *cancel);

// Scans that were given it go on, and can no longer be cancelled by it.
//
// # Safety
// `cancel` is NULL or a live handle, and is not used again.
void presend_cancel_free(struct presend_cancel *cancel);

// The verdict: PRESEND_ALLOW to PRESEND_BLOCK; PRESEND_ASK for NULL.
//
// # Safety
// `report` is NULL or a live handle.
int32_t presend_report_verdict(const struct presend_report *report);

// Fills in `summary`.
//
// # Safety
// `report` is a live handle; `summary` is a struct whose struct_size is set.
int32_t presend_report_summary(const struct presend_report *report,
                               struct presend_summary *summary);

// Fills in the finding of this number, from 0, gravest first. The first one decided,
// unless the verdict is PRESEND_ALLOW.
//
// # Safety
// `report` is a live handle; `finding` is a struct whose struct_size is set.
int32_t presend_report_finding(const struct presend_report *report,
                               uint32_t number_from_0,
                               struct presend_finding *finding);

// Checks that these are exactly the bytes that were scanned, just before they are
// encrypted. PRESEND_NOT_SCANNED for any others: do not send them.
//
// # Safety
// `report` is a live handle; `data` has `length` bytes.
int32_t presend_clearance_check(const struct presend_report *report,
                                const uint8_t *data,
                                size_t length);

// The same for what can be read of a file, by its descriptor, from where it stands to
// the end: a film need not be in memory. PRESEND_CANNOT_READ for a pipe, a socket or a
// device. Make sure that nobody writes to the file between this and the encryption.
// (Unix)
//
// # Safety
// `report` is a live handle; `fd` is open.
int32_t presend_clearance_check_fd(const struct presend_report *report, int fd);

// # Safety
// `report` is NULL or a live handle, and is not used again.
void presend_report_free(struct presend_report *report);

// Scans the bytes of a file, exactly as they would be sent.
//
// Whatever the bytes are, the status is PRESEND_OK: what could not be looked at is
// a finding in the report, and the policy decides.
//
// # Safety
// `scanner` is a live handle; `data` has `length` bytes that nobody changes
// meanwhile; `options` is NULL or a struct; `out` is to a pointer.
int32_t presend_scan_bytes(const struct presend_scanner *scanner,
                           const uint8_t *data,
                           size_t length,
                           const struct presend_options *options,
                           struct presend_report **out);

// Scans a file. No more of it is read than the options allow, and the deadline and
// the cancel hold while it is read. PRESEND_CANNOT_READ for a folder, a named pipe
// or a device, which is not waited for.
//
// # Safety
// `scanner` is a live handle; `path` is text; `options` is NULL or a struct; `out`
// is to a pointer.
int32_t presend_scan_path(const struct presend_scanner *scanner,
                          const char *path,
                          const struct presend_options *options,
                          struct presend_report **out);

// Scans what can be read of a file, by its descriptor, from where it stands to the
// end. It stays open, and its place is the end afterwards; the deadline and the
// cancel hold while it is read. PRESEND_CANNOT_READ for a pipe, a socket or a device:
// read those yourself, and scan the bytes. (Unix)
//
// # Safety
// `scanner` is a live handle; `fd` is open; `options` is NULL or a struct; `out` is
// to a pointer.
int32_t presend_scan_fd(const struct presend_scanner *scanner,
                        int fd,
                        const struct presend_options *options,
                        struct presend_report **out);

// Scans pixels that the host decoded from the file's bytes, for media that presend
// does not decode itself (HEIC). The report clears the file's bytes.
//
// # Safety
// `scanner` is a live handle; `pixels` is a struct whose pixels are there; `data`
// has `length` bytes; `options` is NULL or a struct; `out` is to a pointer.
int32_t presend_scan_frame(const struct presend_scanner *scanner,
                           const struct presend_frame *pixels,
                           const uint8_t *data,
                           size_t length,
                           const struct presend_options *options,
                           struct presend_report **out);

// Starts a scan of the bytes of a file on presend's own threads, and returns. The
// bytes are copied before it does, unless they are more than the options allow. It
// calls back if, and only if, the status is PRESEND_OK.
//
// # Safety
// As for presend_scan_bytes; `done` may be called with `user_data` on another
// thread.
int32_t presend_scan_start(const struct presend_scanner *scanner,
                           const uint8_t *data,
                           size_t length,
                           const struct presend_options *options,
                           presend_done done,
                           void *user_data);

// A builder without lists and models and with the policy `default`.
struct presend_builder *presend_builder_new(void);

// Compares with one more list, which is copied and verified.
//
// # Safety
// `builder` is a live handle that no other thread uses; `data` has `length` bytes.
int32_t presend_builder_list_bytes(struct presend_builder *builder,
                                   const uint8_t *data,
                                   size_t length);

// Compares with one more list, which is read into memory and verified.
//
// # Safety
// `builder` is a live handle that no other thread uses; `path` is text.
int32_t presend_builder_list_path(struct presend_builder *builder, const char *path);

// Looks with one more model: the folder that holds its model.toml.
//
// # Safety
// `builder` is a live handle that no other thread uses; `folder` is text.
int32_t presend_builder_model_path(struct presend_builder *builder, const char *folder);

// Looks with one more model, from the files of its folder: model.toml, the ONNX
// file, and one or more golden inputs in the order in which model.toml names them.
// All are copied.
//
// # Safety
// `builder` is a live handle that no other thread uses; `goldens` has `golden_count`
// entries; all bytes are there.
int32_t presend_builder_model_bytes(struct presend_builder *builder,
                                    struct presend_bytes model_toml,
                                    struct presend_bytes onnx,
                                    const struct presend_bytes *goldens,
                                    size_t golden_count);

// Decides by the policy in this text instead of `default`.
//
// # Safety
// `builder` is a live handle that no other thread uses; `toml` is text.
int32_t presend_builder_policy(struct presend_builder *builder, const char *toml);

// Decides by a built-in policy: `default`, `teen` or `off`.
//
// # Safety
// `builder` is a live handle that no other thread uses; `name` is text.
int32_t presend_builder_preset(struct presend_builder *builder, const char *name);

// How presend_scan_start scans: on so many threads, by default one for each
// processor, and 64 at most; with so many scans waiting for one, by default 64. One
// more is answered at once, as incomplete.busy; so is one whose bytes make more than
// 256 MiB wait, unless it waits alone. 0 stands for the default.
//
// # Safety
// `builder` is a live handle that no other thread uses.
int32_t presend_builder_queue(struct presend_builder *builder,
                              uint32_t threads,
                              uint32_t waiting);

// Makes a scanner. The builder stays as it is.
//
// # Safety
// `builder` is a live handle that no other thread uses; `out` is to a pointer.
int32_t presend_builder_build(const struct presend_builder *builder,
                              struct presend_scanner **out);

// # Safety
// `builder` is NULL or a live handle, and is not used again.
void presend_builder_free(struct presend_builder *builder);

// Compares with this edition of a list from now on, in the place of the one with
// its id. Scans that run end with the editions that they began with.
//
// # Safety
// `scanner` is a live handle; `path` is text.
int32_t presend_scanner_reload_path(const struct presend_scanner *scanner,
                                    const char *path);

// Scans that were started still end, and call back.
//
// # Safety
// `scanner` is NULL or a live handle, and is not used again.
void presend_scanner_free(struct presend_scanner *scanner);

// Begins a film or a live picture. The options count over all of it: raise `frames`,
// `pixels` and `input_bytes` for a long one.
//
// # Safety
// `scanner` is a live handle; `settings` and `options` are NULL or structs; `out`
// is to a pointer.
int32_t presend_session_new(const struct presend_scanner *scanner,
                            const struct presend_session_options *settings,
                            const struct presend_options *options,
                            struct presend_session **out);

// Whether a frame of this time would be looked at: 1 or 0. A host whose frames are
// dear to convert asks first, and pushes those and the film's last.
//
// # Safety
// `session` is a live handle that no other thread uses.
int32_t presend_session_is_due(const struct presend_session *session, uint64_t at_us);

// Takes the next frame, shown `at_us` microseconds after the film's start, and gives
// the verdict so far, which never becomes milder. A frame that is refused is one that
// was not seen: the verdict is PRESEND_ASK or graver, and the report has the finding
// incomplete.internal.
//
// # Safety
// `session` is a live handle that no other thread uses; `pixels` is a struct whose
// pixels are there; `verdict` is NULL or to a number.
int32_t presend_session_push_frame(struct presend_session *session,
                                   const struct presend_frame *pixels,
                                   uint64_t at_us,
                                   int32_t *verdict);

// Reads the next bytes of the file that the frames come from, as it would be sent.
// The report clears them, unless a piece was refused.
//
// # Safety
// `session` is a live handle that no other thread uses; `data` has `length` bytes.
int32_t presend_session_push_bytes(struct presend_session *session,
                                   const uint8_t *data,
                                   size_t length);

// Looks at the last frame and ends. The session still has to be freed.
//
// # Safety
// `session` is a live handle that no other thread uses; `out` is to a pointer.
int32_t presend_session_finish(struct presend_session *session,
                               struct presend_report **out);

// # Safety
// `session` is NULL or a live handle, and is not used again.
void presend_session_free(struct presend_session *session);

// What was wrong when a function of presend last failed on this thread, for a log:
// it names no path and shows nothing of the media. Stands until the next failure.
const char *presend_last_error(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PRESEND_H */
