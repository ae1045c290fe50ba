/*
 * Who sleeps, who searches, whom to wake, and who guards: runtime/src/scheduler/multi_thread/idle.rs,
 * with the order of park.rs and worker.rs around it.
 *
 * What is one step here is one step there: a look at the word, a section under the lock, a look at the
 * queues, a token for a parker. Memory is sequentially consistent, as the fences make it; that they do is
 * what loom-tests/tests/idle.rs shows. All workers have a thread and nothing blocks on purpose.
 *
 * Inboxes, deques and backlogs are one number: what any worker may take. Whoever polls a task may spawn
 * another, into its LIFO slot or to the others, and may be stuck for good; STUCK workers are, at most. A
 * push to the own deque may overlook a worker that is just going to sleep, since there is no fence in it:
 * here it may overlook anybody.
 *
 * Safety: D1 whenever a worker is stuck, D2 and D3 at every change, and when nothing can go on, nothing is
 * queued. Liveness (-DLIVENESS): nothing stays queued for ever, while some worker is not stuck.
 *
 * -DRESIGN_WITHOUT_LOOK, -DCLAIM_WITHOUT_GUARD, -DLEAVE_WITHOUT_GUARD, -DSEARCH_WITHOUT_GUARD,
 * -DLEAVE_FORGETS_THE_CLAIM: a step is left out, which must be found. That W3 or the look of the last
 * searcher is left out is not found here, since a guard comes by: see the models of loom, which have none.
 *
 * To be small enough with more workers: -DNO_POLLER, nobody leads; -DCOARSE, tokens come at once.
 */
#ifndef N
#define N 4
#endif
#ifndef PUSHED
#define PUSHED 2
#endif
#ifndef SPAWNED
#define SPAWNED 1
#endif
#ifndef STUCK
#define STUCK 1
#endif
#define NONE N

byte searching;            /* the lower half of the word */
byte sleepers;             /* the upper half */
bool asleep[N];
byte guard = NONE;
byte leader = NONE;
bool leader_bounded;
bool token[N];             /* of the parkers, and of the poller that the leader waits in */
#ifdef NO_POLLER
byte driver = N + 1;       /* there is none */
#else
byte driver = NONE;        /* in whose hands it is */
#endif

byte queued;
bool lifo[N];
byte to_spawn = SPAWNED;
byte stuck;
bool is_stuck[N];
bool owes[N];              /* it is up, or about to be, and sees to D1 before it polls */

#if N > 3
#define in_slots (lifo[0] || lifo[1] || lifo[2] || lifo[3])
#define somebody_owes (owes[0] || owes[1] || owes[2] || owes[3])
#elif N > 2
#define in_slots (lifo[0] || lifo[1] || lifo[2])
#define somebody_owes (owes[0] || owes[1] || owes[2])
#else
#define in_slots (lifo[0] || lifo[1])
#define somebody_owes (owes[0] || owes[1])
#endif
#define nothing_waits (queued == 0 && !in_slots)
#define somebody_bounded (guard != NONE || (leader != NONE && leader_bounded))
#define is_bounded(w) (guard == w || (leader == w && leader_bounded))
#define is_plain(w) (asleep[w] && guard != w && leader != w)

/* ----- under the lock ------------------------------------------------------------------------ */

inline cheapest(who) {
  if
  :: is_plain(0) -> who = 0
  :: is_plain(1) -> who = 1
#if N > 2
  :: is_plain(2) -> who = 2
#endif
#if N > 3
  :: is_plain(3) -> who = 3
#endif
  :: else -> who = (guard != NONE -> guard : leader)
  fi
}

inline get_up(who) {
  assert(asleep[who]);
  asleep[who] = false;
  sleepers--;
  if :: guard == who -> guard = NONE :: else fi;
  if :: leader == who -> leader = NONE; leader_bounded = false :: else fi
}

/* The locks are behind us. -DCOARSE: the tokens are there before anybody else moves. */
inline leave_tokens() {
  if
  :: woken != NONE || nudged != NONE ->
    d_step {
      if :: woken != NONE -> token[woken] = true; woken = NONE :: else fi;
      if :: nudged != NONE -> token[nudged] = true; nudged = NONE :: else fi
    }
  :: else
  fi
}
#ifdef COARSE
#define unpark() skip
#define under_lock_ends() leave_tokens()
#else
#define unpark() leave_tokens()
#define under_lock_ends() skip
#endif

/* D1 */
inline appoint() {
  if
  :: somebody_bounded || sleepers == 0
  :: else ->
    cheapest(nudged);
    if
    :: leader == nudged -> leader_bounded = true
    :: else -> guard = nudged
    fi;
    under_lock_ends()
  fi
}

/* ----- what anybody does --------------------------------------------------------------------- */

/* The look at the word before the lock is repeated under it, and so is no step of its own. */
inline claim_under_lock() {
  if
  :: searching == 0 && sleepers > 0 ->
    /* T: Asleep -> Searching | claim | work was published, nobody searches */
    cheapest(woken);
    get_up(woken);
    searching++;
#ifndef CLAIM_WITHOUT_GUARD
    appoint();
#endif
    under_lock_ends()
  :: else
  fi
}

inline end_search() {
  atomic {
    /* T: Searching -> Active | end_search | it has found work; the last one looks again */
    assert(searching > 0);
    searching--;
    searches = false;
#ifndef LAST_SEARCHER_DOES_NOT_LOOK
    last = (searching == 0)
#endif
  };
  atomic {
    if
    :: last && queued > 0 -> claim_under_lock()
    :: else
    fi;
    last = false
  };
  unpark()
}

/* ----- a worker ------------------------------------------------------------------------------ */

proctype worker(byte me) {
  byte woken = NONE, nudged = NONE;
  bool searches, last, bounded, looks, work;

again:
  atomic {
    if
    :: lifo[me] -> lifo[me] = false; goto found
    :: !lifo[me] && me == 0 && queued > 0 -> queued--; goto found       /* its own inbox */
    :: else
    fi;
    /* T: Active -> Searching | begin_search | fewer than half of the workers search */
    if
    :: searches
    :: !searches && 2 * searching < N -> searching++; searches = true
    :: else -> goto park
    fi
  };
  atomic {
    if
    :: queued > 0 -> queued--; goto found
    :: else -> goto park
    fi
  };

found:
#ifndef SEARCH_WITHOUT_GUARD
  /* Who got up without work, and so without a guard behind, has some now. */
  if
  :: owes[me] -> atomic { owes[me] = false; appoint() }; unpark()
  :: else
  fi;
#endif
  if :: searches -> end_search() :: else fi;
  /* The poll. */
  atomic {
    if
    :: to_spawn > 0 && !lifo[me] -> to_spawn--; lifo[me] = true
    :: to_spawn > 0 -> to_spawn--; queued++; if :: claim_under_lock() :: skip fi
    :: true
    fi
  };
  unpark();
  atomic {
    if
    :: stuck < STUCK ->
      assert(sleepers == 0 || somebody_bounded || somebody_owes);        /* D1 */
      stuck++; is_stuck[me] = true;
      goto stuck_for_good
    :: goto again
    fi
  };

park:
  atomic {
    if :: driver == NONE -> driver = me :: else fi;
    /* T: Active or Searching -> Asleep | park | it has found nothing; it guards if nobody does */
    /* W1 */
    asleep[me] = true;
    owes[me] = false;
    sleepers++;
    if
    :: driver == me -> leader = me; leader_bounded = true
    :: else -> if :: guard == NONE -> guard = me :: else fi
    fi;
    bounded = is_bounded(me);
    if :: searches -> searches = false; searching-- :: else fi
  };
#ifndef NO_RECHECK
  /* W3 */
  atomic { if :: searching == 0 && queued > 0 -> work = true; goto up :: else fi };
#endif
  if :: bounded -> goto look_at_others :: else fi;

asleep_now:
end_asleep:
  atomic {
    if
    :: token[me] -> token[me] = false
    :: !token[me] && bounded                                          /* a period has passed */
    fi;
    if :: !asleep[me] -> goto up :: else fi;
    /* What `bounded` was before is what decides whether it looks now. */
    /* T: Asleep -> Asleep | look | a period has passed, or it was nudged to guard */
    looks = bounded;
    bounded = is_bounded(me);
    if
    :: driver == NONE ->
      /* T: Asleep -> Asleep, leading | lead | nobody leads the poller */
      driver = me;
      leader_bounded = bounded;
      leader = me;
      if :: guard == me -> guard = NONE :: else fi
    :: else
    fi;
    if :: looks -> looks = false :: else -> goto asleep_now fi
  };

look_at_others:
  /* Two looks at one poll, in which the slot stays as it is, are one here. */
  atomic {
    if
    :: is_stuck[0] && lifo[0] -> lifo[0] = false; lifo[me] = true
    :: is_stuck[1] && lifo[1] -> lifo[1] = false; lifo[me] = true
#if N > 2
    :: is_stuck[2] && lifo[2] -> lifo[2] = false; lifo[me] = true
#endif
#if N > 3
    :: is_stuck[3] && lifo[3] -> lifo[3] = false; lifo[me] = true
#endif
    :: else
    fi;
    if
    :: sleepers == N && is_bounded(me) -> skip
    :: else -> goto looked
    fi
  };
  atomic {
#ifdef RESIGN_WITHOUT_LOOK
    if
    :: true ->
#else
    if
    :: sleepers == N ->
#endif
      /* T: Asleep, bounded -> Asleep, unbounded | resign | nobody is active */
      if :: guard == me -> guard = NONE :: else fi;
      if :: leader == me -> leader_bounded = false :: else fi
    :: else
    fi;
looked:
    if
    :: lifo[me] || (searching == 0 && queued > 0) -> goto up
    :: else -> goto asleep_now
    fi
  };

up:
  atomic { if :: driver == me -> driver = NONE; owes[me] = true :: else fi };
  atomic {
    if
#ifndef LEAVE_FORGETS_THE_CLAIM
    :: !asleep[me] -> searches = true; owes[me] = false
#else
    :: !asleep[me] -> owes[me] = false
#endif
    :: else ->
      /* T: Asleep -> Active | leave | its time is up, or the poller returned, and nobody has claimed it */
      get_up(me);
      owes[me] = false;
#ifndef LEAVE_WITHOUT_GUARD
      if
      :: work || lifo[me] -> appoint()
      :: else -> owes[me] = true
      fi
#endif
    fi;
    work = false;
    bounded = false
  };
  unpark();
  goto again;

stuck_for_good:
end_stuck:
  false
}

/* A thread that is no worker. */
proctype publisher() {
  byte woken = NONE, nudged = NONE;
  byte left = PUSHED;
  do
  :: left > 0 ->
    left--;
    queued++;
    atomic { claim_under_lock() };
    unpark()
  :: else -> break
  od
}

init {
  byte i;
  atomic {
    i = 0;
    do
    :: i < N -> run worker(i); i++
    :: else -> break
    od;
    i = 0;
    run publisher()
  };
#ifndef LIVENESS
  /* Nothing can go on: everybody sleeps without bound, or is stuck. */
  timeout;
  assert(nothing_waits);
  assert(searching == 0);
  assert(sleepers + stuck == N)
#endif
}

#ifdef LIVENESS
ltl nothing_waits_for_ever { [] <> (nothing_waits) }
#endif
