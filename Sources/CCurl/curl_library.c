#include "curl_library.h"

#include <dlfcn.h>

// The functions that are looked up, by their names without `curl_`.
#define FUNCTIONS(X)                                                                              \
  X(global_init) X(version_info) X(getdate)                                                       \
  X(easy_init) X(easy_cleanup) X(easy_reset) X(easy_setopt) X(easy_getinfo) X(easy_strerror)      \
  X(slist_append) X(slist_free_all)                                                               \
  X(multi_init) X(multi_cleanup) X(multi_add_handle) X(multi_remove_handle) X(multi_perform)      \
  X(multi_poll) X(multi_info_read)

// Each has the type that curl's header gives it.
#define FIELD(name) __typeof__(&curl_##name) name;
static struct { FUNCTIONS(FIELD) } library;

static int is_loaded = 0;

const char *curl_load(void) {
  if (is_loaded) return NULL;
  // The name with the version of the interface, which has been the same since 2006.
  void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!handle) return dlerror();
#define LOOK_UP(name) \
  if (!(library.name = (__typeof__(library.name))dlsym(handle, "curl_" #name))) return dlerror();
  FUNCTIONS(LOOK_UP)
  if (library.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return "it does not start";
  is_loaded = 1;
  return NULL;
}

const char *loaded_version(void) { return library.version_info(CURLVERSION_FIRST)->version; }
time_t loaded_date(const char *text) { return library.getdate(text, NULL); }

CURL *loaded_easy_init(void) { return library.easy_init(); }
void loaded_easy_cleanup(CURL *handle) { library.easy_cleanup(handle); }
void loaded_easy_reset(CURL *handle) { library.easy_reset(handle); }
const char *loaded_strerror(CURLcode code) { return library.easy_strerror(code); }

CURLcode loaded_set_long(CURL *handle, CURLoption option, long value) {
  return library.easy_setopt(handle, option, value);
}

CURLcode loaded_set_size(CURL *handle, CURLoption option, curl_off_t value) {
  return library.easy_setopt(handle, option, value);
}

CURLcode loaded_set_text(CURL *handle, CURLoption option, const char *value) {
  return library.easy_setopt(handle, option, value);
}

CURLcode loaded_set_pointer(CURL *handle, CURLoption option, void *value) {
  return library.easy_setopt(handle, option, value);
}

CURLcode loaded_set_receiver(CURL *handle, CURLoption option, curl_write_callback value) {
  return library.easy_setopt(handle, option, value);
}

CURLcode loaded_set_sender(CURL *handle, curl_read_callback value) {
  return library.easy_setopt(handle, CURLOPT_READFUNCTION, value);
}

CURLcode loaded_set_rewinder(CURL *handle, curl_seek_callback value) {
  return library.easy_setopt(handle, CURLOPT_SEEKFUNCTION, value);
}

CURLcode loaded_get_long(CURL *handle, CURLINFO info, long *value) {
  return library.easy_getinfo(handle, info, value);
}

struct curl_slist *loaded_slist_append(struct curl_slist *list, const char *text) {
  return library.slist_append(list, text);
}

void loaded_slist_free_all(struct curl_slist *list) { library.slist_free_all(list); }

CURLM *loaded_multi_init(void) { return library.multi_init(); }
void loaded_multi_cleanup(CURLM *multi) { library.multi_cleanup(multi); }

CURLMcode loaded_multi_add_handle(CURLM *multi, CURL *handle) {
  return library.multi_add_handle(multi, handle);
}

CURLMcode loaded_multi_remove_handle(CURLM *multi, CURL *handle) {
  return library.multi_remove_handle(multi, handle);
}

CURLMcode loaded_multi_perform(CURLM *multi, int *running_count) {
  return library.multi_perform(multi, running_count);
}

CURLMcode loaded_multi_wait(CURLM *multi, int milliseconds) {
  return library.multi_poll(multi, NULL, 0, milliseconds, NULL);
}

CURLcode loaded_take_result(CURLM *multi) {
  int left = 0;
  for (CURLMsg *message; (message = library.multi_info_read(multi, &left));)
    if (message->msg == CURLMSG_DONE) return message->data.result;
  return CURLE_AGAIN;
}
