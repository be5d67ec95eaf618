// What the few phones of a class that are tried say of all of it.
#include "agent/gate/class_outcome.h"

#include <gtest/gtest.h>

namespace trustline::agent {
namespace {

v1::GateDecision Decision(bool accepted, const std::string& reason) {
  v1::GateDecision decision;
  decision.set_accepted(accepted);
  decision.set_reason(reason);
  return decision;
}

TEST(ClassOutcome, AcceptedByAllIsTheFirstPhonesWord) {
  ClassOutcome outcome;
  outcome.Add("SEP1", Decision(true, "vouched for"));
  outcome.Add("SEP2", Decision(true, "too"));
  EXPECT_EQ(outcome.EndServer().reason(), "vouched for");
  EXPECT_EQ(outcome.Refused(500), 0u);
}

TEST(ClassOutcome, WhatEveryPhoneRefusesIsRefusedByTheClass) {
  ClassOutcome outcome;
  outcome.Add("SEP1", Decision(false, "signer unknown"));
  outcome.Add("SEP2", Decision(false, "signer unknown"));
  const v1::GateDecision decision = outcome.EndServer();
  EXPECT_FALSE(decision.accepted());
  EXPECT_EQ(decision.reason(), "signer unknown");
  EXPECT_EQ(outcome.Refused(500), 500u);
  // A class that says it is empty is refused all the same.
  EXPECT_EQ(outcome.Refused(0), 1u);
}

TEST(ClassOutcome, APhoneThatFaresWorseIsNamedAndCountedAlone) {
  ClassOutcome outcome;
  outcome.Add("SEP1", Decision(true, "vouched for"));
  outcome.Add("SEP2", Decision(false, "no record"));
  outcome.Add("SEP3", Decision(false, "not signed"));
  EXPECT_EQ(outcome.EndServer().reason(), "SEP2: no record");
  outcome.Add("SEP1", Decision(true, "vouched for"));
  EXPECT_EQ(outcome.EndServer().reason(), "vouched for");
  EXPECT_EQ(outcome.Refused(500), 2u);
}

TEST(ClassOutcome, OneServerThatNobodyAcceptsIsEnough) {
  ClassOutcome outcome;
  for (const char* device : {"SEP1", "SEP2"}) outcome.Add(device, Decision(true, "vouched for"));
  EXPECT_TRUE(outcome.EndServer().accepted());
  for (const char* device : {"SEP1", "SEP2"}) outcome.Add(device, Decision(false, "no list"));
  EXPECT_EQ(outcome.EndServer().reason(), "no list");
  EXPECT_EQ(outcome.Refused(500), 500u);
}

}  // namespace
}  // namespace trustline::agent
