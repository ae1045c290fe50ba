/*
 * The end of a runtime with many workers: runtime/src/scheduler/multi_thread/stop.rs.
 *
 * What is one step here is one step there: a section under the lock of `Stop`, a change of a task's word, a
 * push to an inbox or its close, a token for a parker. A worker may be started at any time until the close.
 *
 * There are three tasks. The first waits in a worker's queue, the second sleeps on a list and is woken by a
 * thread that is no worker, the third is spawned by that thread. Each may be polled before the end; a poll
 * finishes, goes to sleep, or stays where it is for a while (-DSTAYS: for good).
 *
 * Safety: every task ends once (S1, S2 of state.rs), nobody touches it afterwards, step 3 happens once and
 * with nobody in a run loop (E1, E2), no thread is started after it, and when nothing can go on, every task
 * has ended and the one who shuts down has returned, unless a poll stays for good.
 * Liveness (-DLIVENESS): the shutdown returns.
 *
 * -DINBOX_LEFT_OPEN, -DSTART_WITHOUT_LOCK, -DNO_INTERRUPT, -DEND_WITHOUT_CLAIM: a step is left out, which
 * must be found.
 */
#ifndef N
#define N 4
#endif
#define TASKS 3

/* A task's place: the word of state.rs, and the queue that it is in. */
mtype = { unborn, queued, sleeping, running, ended };
mtype word[TASKS];
bool woken[TASKS];         /* while it runs */
byte list_of[TASKS];       /* on whose list it is; N is none */
bool in_inbox[TASKS];
bool in_queue[TASKS];      /* in the queues of some worker that retires: anybody empties them */

bool closing;
bool closed_inbox;
bool has_ended;
bool returned;
byte live;
byte started;
byte in_step_3;
byte threads_born;
bool token[N];
bool stays;                /* the first task's poll does, for good */

inline end_task(t) {
  assert(word[t] != ended);
  word[t] = ended
}

/* Polls a task whose place is ours: begin_poll, the poll, end_poll. */
inline poll(t) {
  atomic { assert(word[t] == queued); word[t] = running; woken[t] = false };
#ifdef STAYS
  if :: t == 0 -> atomic { stays = true; goto stuck_for_good } :: else fi;
#endif
  atomic {
    assert(word[t] == running);
    if
    :: woken[t] -> word[t] = queued; in_queue[t] = true
    :: !woken[t] ->
      if
      :: end_task(t)
      :: t == 1 -> word[t] = sleeping; if :: list_of[t] == N -> list_of[t] = me :: else fi
      fi
    fi
  }
}

/* A place that is ours, from the queues of whomever, or an inbox. */
inline take() {
  task = TASKS;
  atomic {
    if
    :: in_queue[0] -> in_queue[0] = false; task = 0
    :: in_queue[1] -> in_queue[1] = false; task = 1
    :: in_queue[2] -> in_queue[2] = false; task = 2
    :: in_inbox[1] && !closed_inbox -> in_inbox[1] = false; task = 1
    :: in_inbox[2] && !closed_inbox -> in_inbox[2] = false; task = 2
    :: else
    fi
  }
}

/* Places change hands one by one; that all of them do in one step leaves out no order that matters to a
 * single task. */
inline end_queued() {
  atomic {
    do
    :: take();
      if
      :: task == TASKS -> break
      :: else -> assert(word[task] == queued); end_task(task)
      fi
    od
  }
}

inline end_sleeping() {
  atomic {
    at = 0;
    do
    :: at < TASKS ->
      if
      /* T: task asleep -> task ended | claim_idle_for_shutdown | on the list of who retires */
      :: list_of[at] == me && word[at] == sleeping -> end_task(at)
#ifdef END_WITHOUT_CLAIM
      :: list_of[at] == me && word[at] == queued -> end_task(at)
#endif
      :: else
      fi;
      at++
    :: else -> break
    od;
    at = 0
  }
}

proctype worker(byte me) {
  byte task = TASKS;
  byte at;
run_loop:
  do
  :: closing -> break
  :: !closing ->
    take();
    if
    :: task < TASKS -> poll(task)
    :: else ->
      /* Asleep: woken by a push, or interrupted. */
end_asleep:
      if
      :: atomic { token[me] -> token[me] = false }
      :: in_queue[0] || in_queue[1] || in_queue[2] || ((in_inbox[1] || in_inbox[2]) && !closed_inbox)
      fi
    fi
  od;
  /* Step 2. */
  end_queued();
  end_sleeping();
  end_queued();
  atomic {
    /* T: Closing, live -> Closing, one less live | retired | its queues and its list are ended */
    live--;
    if :: live == 0 && closing :: else -> goto over fi
  };
  /* T: Closing, nobody live -> Closing, inboxes closed | end_all | the last to retire */
  /* Step 3. */
  in_step_3++;
  assert(in_step_3 == 1);
  assert(live == 0);
#ifndef INBOX_LEFT_OPEN
  atomic {
    closed_inbox = true;
    at = 1;
    do
    :: at < TASKS ->
      if :: in_inbox[at] -> in_inbox[at] = false; assert(word[at] == queued); end_task(at) :: else fi;
      at++
    :: else -> break
    od;
    at = 0
  };
#endif
  end_queued();
  atomic {
    at = 0;
    do
    :: at < TASKS ->
      /* In no queue, on a list: it sleeps, or its wake was refused. */
      assert(word[at] != running);
      if :: list_of[at] < N && word[at] != ended -> end_task(at) :: else fi;
      at++
    :: else -> break
    od;
    at = 0
  };
  assert(live == 0);
  /* T: Closing, inboxes closed -> Ended | end | nothing is left */
  has_ended = true;
  goto over;
stuck_for_good:
end_stuck:
  false;
over:
  skip
}

/* Nudge::Start, at any time. */
proctype starter() {
  byte next = 1;
  do
  :: next < N ->
#ifdef START_WITHOUT_LOCK
    if
    :: !closing -> live++; run worker(next)
#else
    /* T: Open -> Open, one more live | start | before the close, under the lock */
    if
    :: atomic { !closing -> live++; run worker(next) }
#endif
    :: closing
    fi;
    next++
  :: next < N -> break
  :: else -> break
  od
}

/* A thread that is no worker: wakes the second task, and spawns the third. */
proctype other() {
  bool submit;
  atomic {
    if
    :: word[1] == sleeping -> word[1] = queued; submit = true
    :: word[1] == running -> woken[1] = true
    :: else
    fi
  };
  if
  :: submit -> atomic { if :: !closed_inbox -> in_inbox[1] = true :: else fi; submit = false }
  :: else
  fi;
  word[2] = queued;
  atomic {
    if
    :: !closed_inbox -> in_inbox[2] = true
    :: else -> end_task(2)
    fi
  }
}

init {
  byte i;
  atomic {
    i = 0;
    do :: i < TASKS -> word[i] = unborn; list_of[i] = N; i++ :: else -> break od;
    word[0] = queued; in_queue[0] = true;
    word[1] = sleeping; list_of[1] = 0;
    live = 1;
    i = 0;
    run worker(0);
    run starter();
    run other()
  };
  /* Scheduler::shut_down */
  /* T: Open -> Closing | shut_down | once */
  closing = true;
#ifndef NO_INTERRUPT
  d_step {
    do
    :: i < N -> token[i] = true; i++
    :: else -> break
    od;
    i = 0
  };
#endif
  if
  :: has_ended -> returned = true
#ifdef STAYS
  :: timeout -> goto given_up
#endif
  fi;
#if !defined(LIVENESS) && !defined(STAYS)
  timeout;
  assert(word[0] == ended && word[1] == ended && word[2] == ended);
  assert(in_step_3 == 1);
#endif
#ifdef STAYS
given_up:
  assert(returned || stays)
#endif
}

#ifdef LIVENESS
ltl it_ends { <> (returned) }
#endif
