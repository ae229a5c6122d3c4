// libcurl's functions that the program calls, from a library that is loaded when it is first needed.
//
// It brings 27 more libraries, which add 6 MiB and 6 ms to every run that they are linked into. Most
// runs send nothing anywhere.
#pragma once

// curl's own check of argument types needs the option to be a constant; these functions check instead.
#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>

// Loads the library, unless that has been done: null, or what is wrong. Not for several threads at once;
// all other functions may be called only after it has given null.
const char *curl_load(void);

const char *loaded_version(void);
// The seconds since 1970 of a date in the words of HTTP; -1 if it is none.
time_t loaded_date(const char *text);

CURL *loaded_easy_init(void);
void loaded_easy_cleanup(CURL *handle);
void loaded_easy_reset(CURL *handle);
const char *loaded_strerror(CURLcode code);

// Swift cannot call functions with variable arguments. Each of these passes one kind of argument, which
// the caller matches with the option.
CURLcode loaded_set_long(CURL *handle, CURLoption option, long value);
CURLcode loaded_set_size(CURL *handle, CURLoption option, curl_off_t value);
CURLcode loaded_set_text(CURL *handle, CURLoption option, const char *value);
CURLcode loaded_set_pointer(CURL *handle, CURLoption option, void *value);
// For bytes that come in: the body and each line of the header.
CURLcode loaded_set_receiver(CURL *handle, CURLoption option, curl_write_callback value);
CURLcode loaded_set_sender(CURL *handle, curl_read_callback value);
CURLcode loaded_set_rewinder(CURL *handle, curl_seek_callback value);
CURLcode loaded_get_long(CURL *handle, CURLINFO info, long *value);

struct curl_slist *loaded_slist_append(struct curl_slist *list, const char *text);
void loaded_slist_free_all(struct curl_slist *list);

CURLM *loaded_multi_init(void);
void loaded_multi_cleanup(CURLM *multi);
CURLMcode loaded_multi_add_handle(CURLM *multi, CURL *handle);
CURLMcode loaded_multi_remove_handle(CURLM *multi, CURL *handle);
CURLMcode loaded_multi_perform(CURLM *multi, int *running_count);
CURLMcode loaded_multi_wait(CURLM *multi, int milliseconds);
// The result of the only transfer of `multi`, which has ended; CURLE_AGAIN if it has not.
CURLcode loaded_take_result(CURLM *multi);
