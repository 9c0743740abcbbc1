// Requests and streams while the daemon restarts again and again: how long they wait. A run in which a request is
// refused or not answered, or an event is missing or comes twice, ends without a result.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "exchange.h"
#include "stream.h"

enum { most_sessions = 32, most_restarts = 1000, new_rate = 2, kept_rate = 10 };

// A client that follows all sessions.
struct follower {
  long last[most_sessions];  // the seq that came last
  int64_t left;              // when it was told to come back; 0: it is back
  bool told;                 // the server's close has come, ours is still to be sent
  long returns;
};

// A person: says something whenever the last turn is over.
struct driver {
  struct exchange exchange;
  long said, ended;
  int64_t last_said;
};

static struct stream_loop loop;
static struct target target;
static int outer;  // the epoll of all: of the exchanges, and of the streams' own
static char sessions[most_sessions][64];
static long session_count, deliveries;
static struct follower *followers;
static struct driver drivers[most_sessions];
static struct bench_histogram *latencies, *answers;
static long requests;
static int64_t asked;
static bool is_restarting, is_over;

// The steps of a turn: tools and texts, for about a second.
static const char prompt_text[] =
    "{\"content\":\"[[tool:Bash {\\\"command\\\":\\\"step\\\"}]][[stream:5x20@20]][[tool:Bash "
    "{\\\"command\\\":\\\"step\\\"}]][[stream:5x20@20]]\",\"clientMessageId\":\"m%ld\"}";

// MARK: Streams

static void say_hello(struct stream_loop *all, struct stream *stream) {
  const struct follower *follower = &followers[stream - all->streams];
  char text[4096];
  int length = snprintf(text, sizeof text,
                        "{\"type\":\"client:hello\",\"payload\":{\"name\":\"load\",\"version\":\"1\",\"protocol\":1,"
                        "\"resume\":{");
  for (long i = 0; i < session_count; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%s\"%s\":%ld", i ? "," : "", sessions[i],
                       follower->last[i]);
  length += snprintf(text + length, sizeof text - (size_t)length, "}}}");
  stream_send(stream, 1, text, (size_t)length);
}

static void count_event(const struct stream *stream, const char *session, long seq, bool ends_turn) {
  struct follower *follower = &followers[stream - loop.streams];
  for (long i = 0; i < session_count; i++) {
    if (strncmp(session, sessions[i], strlen(sessions[i])) != 0) continue;
    if (seq != follower->last[i] + 1)
      bench_fail("client %ld got event %ld of session %ld after %ld", (long)(follower - followers), seq, i,
                 follower->last[i]);
    follower->last[i] = seq;
    deliveries++;
    if (ends_turn && follower == followers) drivers[i].ended++;
    return;
  }
  bench_fail("an event of a session that nobody made: %.64s", session);
}

// A frame of an event begins {"type":"T","sessionId":"ID","seq":N; all others have no seq there.
static void take_frame(struct stream_loop *all, struct stream *stream, const uint8_t *payload, size_t length) {
  (void)all;
  char head[160];
  size_t size = length < sizeof head - 1 ? length : sizeof head - 1;
  memcpy(head, payload, size);
  head[size] = 0;
  char type[32], session[64];
  long seq;
  int found = sscanf(head, "{\"type\":\"%31[^\"]\",\"sessionId\":\"%63[^\"]\",\"seq\":%ld", type, session, &seq);
  if (found == 3)
    return count_event(stream, session, seq, memmem(payload, length, "\"kind\":\"turn_completed\"", 23) != NULL);
  if (found < 1) bench_fail("no frame: %s", head);
  if (strcmp(type, "sync:resync") == 0 || strcmp(type, "client:slow") == 0) bench_fail("%s", head);
  struct follower *follower = &followers[stream - loop.streams];
  if (strcmp(type, "sync:complete") != 0 || !follower->left) return;
  bench_record(loop.latencies, bench_now() - follower->left);
  follower->left = 0;
  follower->returns++;
}

static void take_goodbye(struct stream_loop *all, struct stream *stream, int code) {
  struct follower *follower = &followers[stream - all->streams];
  if (code != 1012) bench_fail("a stream was closed with %d", code);
  follower->left = bench_now();
  follower->told = true;
}

// Who was told to come back says goodbye and does, at once.
static void come_back(void) {
  for (long i = 0; i < loop.wanted; i++) {
    if (!followers[i].told) continue;
    static const uint8_t code[] = {0x03, 0xf4};
    followers[i].told = false;
    stream_send(&loop.streams[i], 8, code, sizeof code);
    stream_close(&loop, &loop.streams[i]);
    stream_begin(&loop, &loop.streams[i]);
  }
}

// MARK: Requests

static int64_t interval_of(const struct exchange *exchange) {
  return 1000000000 / (exchange->keeps ? kept_rate : new_rate);
}

static void take_answer(struct exchange *exchange, int status, const char *body) {
  if (status != 200) bench_fail("%d: %s", status, body);
  bench_record(latencies, bench_now() - exchange->due);
  requests++;
  // However late this one was, the next is due at its time.
  exchange->due += interval_of(exchange);
}

// Half of the rate on connections that are kept, half on new ones. There are so many of the latter that few are still
// waiting when they should ask again.
static long make_requesters(long rate, struct exchange **all) {
  long kept = rate / 2 / kept_rate, fresh = rate / 2 / new_rate, count = kept + fresh;
  struct exchange *exchanges = calloc((size_t)count, sizeof *exchanges);
  for (long i = 0; i < count; i++) {
    struct exchange *exchange = &exchanges[i];
    char path[128];
    exchange_init(exchange, i < kept);
    snprintf(path, sizeof path, i % 4 == 1 ? "/api/v1/sessions/%s" : i % 4 == 3 ? "/api/v1/providers/echo" : "/health",
             sessions[i % session_count]);
    exchange_set(exchange, target.port, "GET", path, "");
    exchange->on_answer = take_answer;
    exchange->due = bench_now() + interval_of(exchange) * (i < kept ? i : i - kept) / (i < kept ? kept : fresh);
  }
  *all = exchanges;
  return count;
}

// MARK: Turns

static void take_acceptance(struct exchange *exchange, int status, const char *body) {
  struct driver *driver = &drivers[exchange->number];
  if (status != 202) bench_fail("a message was not accepted: %d %s", status, body);
  driver->said++;
}

static void speak(void) {
  for (long i = 0; i < session_count; i++) {
    struct driver *driver = &drivers[i];
    if (driver->exchange.under_way) continue;
    if (driver->said > driver->ended) {
      if (bench_now() - driver->last_said > 20000000000) bench_fail("the turn of session %ld does not end", i);
      continue;
    }
    if (is_over) continue;
    char path[128], body[512];
    snprintf(path, sizeof path, "/api/v1/sessions/%s/messages", sessions[i]);
    snprintf(body, sizeof body, prompt_text, driver->said);
    exchange_set(&driver->exchange, target.port, "POST", path, body);
    driver->last_said = bench_now();
    exchange_begin(&driver->exchange, outer, target.port);
  }
}

// MARK: Restarts

static void take_restart(struct exchange *exchange, int status, const char *body) {
  (void)exchange;
  if (status != 202) bench_fail("no restart: %d %s", status, body);
  bench_record(answers, bench_now() - asked);
}

static bool are_back(long restarts) {
  for (long i = 0; i < loop.wanted; i++) {
    if (followers[i].returns < restarts) return false;
  }
  return true;
}

// MARK: All of it

static void turn(struct exchange *requesters, long count) {
  struct epoll_event events[512];
  int ready = epoll_wait(outer, events, 512, 1);
  for (int i = 0; i < ready; i++) {
    if (events[i].data.ptr) exchange_ready(events[i].data.ptr, outer);
    else stream_loop_turn(&loop, 0);
  }
  come_back();
  speak();
  if (is_over) return;
  int64_t now = bench_now();
  for (long i = 0; i < count; i++) {
    if (!requesters[i].under_way && requesters[i].due <= now) exchange_begin(&requesters[i], outer, target.port);
  }
}

static bool is_at_rest(const struct exchange *requesters, long count) {
  for (long i = 0; i < count; i++) {
    if (requesters[i].under_way) return false;
  }
  for (long i = 0; i < session_count; i++) {
    if (drivers[i].exchange.under_way || drivers[i].said > drivers[i].ended) return false;
  }
  return true;
}

// How many events the logs have, once every client has all of them.
static long check_ends(struct exchange *requesters, long count) {
  long events = 0;
  for (long i = 0; i < session_count; i++) {
    char path[128];
    snprintf(path, sizeof path, "/api/v1/sessions/%s", sessions[i]);
    const char *found = strstr(call(target.port, "GET", path, ""), "\"lastSeq\":");
    long last = found ? atol(found + 10) : 0;
    int64_t deadline = bench_now() + 10000000000;
    for (long client = 0; client < loop.wanted; client++) {
      while (followers[client].last[i] < last) {
        if (bench_now() > deadline)
          bench_fail("client %ld has %ld of %ld events of session %ld", client, followers[client].last[i], last, i);
        turn(requesters, count);
      }
    }
    events += last;
  }
  return events;
}

void run_restart(void) {
  target = target_from_options("/api/v1/stream?hello=1");
  long clients = bench_number("clients", 64), rate = bench_number("rate", 1000), restarts = bench_number("restarts", 20);
  session_count = bench_number("sessions", 8);
  const char *provider = bench_text("provider", "echo"), *workspace = bench_text("workspace", "/tmp");
  long seed = bench_number("seed", 1);
  bench_options_done();
  if (session_count < 1 || session_count > most_sessions || restarts > most_restarts || rate < 100)
    bench_fail("1 to %d sessions, at most %d restarts, at least 100 requests a second", most_sessions, most_restarts);
  srandom((unsigned)seed);
  latencies = calloc(1, sizeof *latencies);
  answers = calloc(1, sizeof *answers);
  followers = calloc((size_t)clients, sizeof *followers);
  for (long i = 0; i < session_count; i++) new_session(target.port, provider, workspace, sessions[i]);

  outer = epoll_create1(EPOLL_CLOEXEC);
  stream_loop_init(&loop, target, clients, false, true);
  loop.on_open = say_hello;
  loop.on_message = take_frame;
  loop.on_goodbye = take_goodbye;
  stream_loop_open_all(&loop);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(outer, EPOLL_CTL_ADD, loop.epoll, &event);
  for (long i = 0; i < session_count; i++) {
    exchange_init(&drivers[i].exchange, false);
    drivers[i].exchange.on_answer = take_acceptance;
    drivers[i].exchange.number = i;
  }
  struct exchange *requesters, asker;
  long count = make_requesters(rate, &requesters);
  exchange_init(&asker, false);
  asker.on_answer = take_restart;

  int64_t start = bench_now(), next = start + 1000000000;
  int64_t own = bench_own_cpu_nanoseconds();
  for (long done = 0; done < restarts;) {
    turn(requesters, count);
    int64_t now = bench_now();
    if (is_restarting && are_back(done + 1)) {
      is_restarting = false;
      done++;
      next = now + 500000000 + random() % 1000000000;
    } else if (is_restarting && now - asked > 30000000000) {
      bench_fail("restart %ld is not over after 30 s", done + 1);
    } else if (!is_restarting && now >= next) {
      // Some cut turns off, some wait for them a little.
      exchange_set(&asker, target.port, "POST", "/api/v1/core/restart",
                   random() % 3 == 0 ? "{\"graceMs\":300}" : "{\"graceMs\":0}");
      asked = now;
      is_restarting = true;
      exchange_begin(&asker, outer, target.port);
    }
  }
  int64_t rest = bench_now() + 500000000;
  while (bench_now() < rest) turn(requesters, count);
  double seconds = (double)(bench_now() - start) / 1e9, own_cpu = (double)(bench_own_cpu_nanoseconds() - own) / 1e9;
  long counted = requests;
  is_over = true;
  while (!is_at_rest(requesters, count)) turn(requesters, count);
  long events = check_ends(requesters, count);
  printf(
      "{\"restarts\":%ld,\"seconds\":%.1f,\"requestsPerSecond\":%.0f,\"requestP50Ms\":%.2f,\"requestP99Ms\":%.1f,"
      "\"requestMaxMs\":%.1f,\"events\":%ld,\"deliveries\":%ld,\"gapP50Ms\":%.1f,\"gapP99Ms\":%.1f,\"gapMaxMs\":%.1f,"
      "\"triedP50Ms\":%.1f,\"loadCpu\":%.3f,\"rss\":%lld}\n",
      restarts, seconds, (double)counted / seconds, (double)bench_percentile(latencies, 50) / 1e6,
      (double)bench_percentile(latencies, 99) / 1e6, (double)latencies->max / 1e6, events, deliveries,
      (double)bench_percentile(loop.latencies, 50) / 1e6, (double)bench_percentile(loop.latencies, 99) / 1e6,
      (double)loop.latencies->max / 1e6, (double)bench_percentile(answers, 50) / 1e6, own_cpu / seconds,
      (long long)bench_resident_bytes(target.pid));
}
