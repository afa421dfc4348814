//! `quality_control` as clients write it, into rules that act. Collectors that do not act here are kept and given back.

use super::{refusal::Problems, values::refuse};
use crate::store::toloka::quality::{
    Action, Collector, CollectorKind, Condition, QualityRule, Reach, number,
};
use serde_json::{Map, Value, json};

const OPERATORS: [&str; 6] = ["EQ", "NE", "GT", "GTE", "LT", "LTE"];

fn configs(quality: &Value) -> impl Iterator<Item = &Value> {
    quality["configs"].as_array().into_iter().flatten()
}

fn kind(config: &Value) -> Option<CollectorKind> {
    serde_json::from_value(config["collector_config"]["type"].clone()).ok()
}

/// Notes what in the rules cannot be taken: a misspelt condition must not be a rule that never speaks.
pub(super) fn check(quality: &Value, problems: &mut Problems) {
    for (i, config) in configs(quality).enumerate() {
        let path = format!("quality_control.configs.{i}");
        if !config["collector_config"]["type"].is_string() {
            let path = format!("{path}.collector_config.type");
            refuse(problems, &path, "VALUE_REQUIRED", "a collector has a type");
            continue;
        }
        let Some(kind) = kind(config) else {
            tracing::warn!(
                collector = %config["collector_config"]["type"],
                "this collector does not act here: its rules are kept and given back, and never speak"
            );
            continue;
        };
        for (j, rule) in config["rules"].as_array().into_iter().flatten().enumerate() {
            let path = format!("{path}.rules.{j}");
            if rule["conditions"].as_array().is_none_or(Vec::is_empty) {
                let path = format!("{path}.conditions");
                refuse(
                    problems,
                    &path,
                    "VALUE_REQUIRED",
                    "a rule has at least one condition",
                );
            }
            for (k, condition) in rule["conditions"]
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
            {
                let path = format!("{path}.conditions.{k}");
                let key = condition["key"].as_str().unwrap_or_default();
                if !kind.keys().contains(&key) {
                    let why = format!("this collector has {}", kind.keys().join(", "));
                    refuse(problems, &format!("{path}.key"), "UNKNOWN_ENUM_VALUE", why);
                }
                let operator = condition["operator"].as_str().unwrap_or_default();
                if !OPERATORS.contains(&operator) {
                    let why = OPERATORS.join(", ");
                    refuse(
                        problems,
                        &format!("{path}.operator"),
                        "UNKNOWN_ENUM_VALUE",
                        why,
                    );
                }
                if number(&condition["value"]).is_none() && key != "assessment_event" {
                    refuse(
                        problems,
                        &format!("{path}.value"),
                        "FLOAT_EXPECTED",
                        "this must be a number",
                    );
                }
            }
            if action(&rule["action"]).is_none() {
                let why = "RESTRICTION_V2, RESTRICTION, SET_SKILL, SET_SKILL_FROM_OUTPUT_FIELD, CHANGE_OVERLAP, \
                    REJECT_ALL_ASSIGNMENTS or APPROVE_ALL_ASSIGNMENTS, with their parameters";
                refuse(problems, &format!("{path}.action"), "INVALID_VALUE", why);
            }
        }
    }
}

fn action(action: &Value) -> Option<Action> {
    let parameters = &action["parameters"];
    let text = |name: &str| parameters[name].as_str().unwrap_or_default().to_owned();
    let reach = || -> Option<Reach> { serde_json::from_value(parameters["scope"].clone()).ok() };
    let skill = || number(&parameters["skill_id"]).map(|id| id as i64);
    Some(match action["type"].as_str()? {
        "RESTRICTION" => Action::Restrict {
            reach: reach()?,
            ms: number(&parameters["duration_days"]).map(|days| (days * 86_400_000.0) as i64),
            comment: text("private_comment"),
        },
        "RESTRICTION_V2" => {
            let unit = match parameters["duration_unit"].as_str()? {
                "MINUTES" => Some(60_000.0),
                "HOURS" => Some(3_600_000.0),
                "DAYS" => Some(86_400_000.0),
                "PERMANENT" => None,
                _ => return None,
            };
            let ms = match unit {
                Some(unit) => Some((number(&parameters["duration"])? * unit) as i64),
                None => None,
            };
            Action::Restrict {
                reach: reach()?,
                ms,
                comment: text("private_comment"),
            }
        }
        "SET_SKILL" => Action::SetSkill {
            skill: skill()?,
            value: number(&parameters["skill_value"])?,
        },
        "SET_SKILL_FROM_OUTPUT_FIELD" => Action::SkillFromFigure {
            skill: skill()?,
            figure: parameters["from_field"].as_str()?.to_owned(),
        },
        "CHANGE_OVERLAP" => Action::MoreVotes {
            delta: number(&parameters["delta"])? as i64,
            open: parameters["open_pool"] == true,
        },
        "REJECT_ALL_ASSIGNMENTS" => Action::RejectAll {
            comment: text("public_comment"),
        },
        "APPROVE_ALL_ASSIGNMENTS" => Action::ApproveAll,
        _ => return None,
    })
}

/// The collectors that act, of rules that were checked.
pub(super) fn collectors(quality: &Value) -> Vec<Collector> {
    configs(quality)
        .filter_map(|config| {
            let parameters = &config["collector_config"]["parameters"];
            let rules = config["rules"].as_array().into_iter().flatten();
            Some(Collector {
                kind: kind(config)?,
                history: number(&parameters["history_size"]).map(|n| n as usize),
                fast_seconds: number(&parameters["fast_submit_threshold_seconds"]),
                field: parameters["field"].as_str().map(str::to_owned),
                rules: rules
                    .filter_map(|rule| {
                        Some(QualityRule {
                            conditions: rule["conditions"]
                                .as_array()?
                                .iter()
                                .map(|condition| Condition {
                                    key: super::people::text_of(&condition["key"]),
                                    operator: super::people::text_of(&condition["operator"]),
                                    value: condition["value"].clone(),
                                })
                                .collect(),
                            action: action(&rule["action"])?,
                        })
                    })
                    .collect(),
            })
        })
        .collect()
}

/// Whether the votes of annotators who are shut out are to be asked of others: Toloka writes it as a rule of its own.
pub(super) fn reopens(quality: &Value) -> bool {
    configs(quality).any(|config| {
        config["collector_config"]["type"] == "USERS_ASSESSMENT"
            && config["rules"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|rule| {
                    rule["action"]["type"] == "CHANGE_OVERLAP"
                        && number(&rule["action"]["parameters"]["delta"]).is_some_and(|d| d > 0.0)
                        && rule["conditions"]
                            .as_array()
                            .into_iter()
                            .flatten()
                            .all(|c| {
                                c["key"] != "pool_access_revoked_reason"
                                    || c["value"] == "RESTRICTION"
                            })
                })
    })
}

/// Gives collectors without a name one: clients keep it, so that a changed pool has the same collectors.
pub(super) fn name_collectors(words: &mut Map<String, Value>) {
    let Some(configs) = words
        .get_mut("quality_control")
        .and_then(|q| q["configs"].as_array_mut())
    else {
        return;
    };
    for config in configs {
        let collector = &mut config["collector_config"];
        if collector.is_object()
            && collector["uuid"].is_null()
            && let Ok(id) = super::operation_id()
        {
            collector["uuid"] = json!(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(key: &str) -> Value {
        json!({"configs": [{"collector_config": {"type": "GOLDEN_SET", "parameters": {"history_size": 10}},
            "rules": [{"conditions": [{"key": key, "operator": "GT", "value": 8}],
                "action": {"type": "RESTRICTION_V2", "parameters": {"scope": "PROJECT", "duration_unit": "DAYS", "duration": 10}}}]}]})
    }

    #[test]
    fn a_misspelt_condition_is_refused_and_ours_is_taken() {
        let mut problems = Problems::new();
        check(&golden("golden_set_mean_abs_error"), &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        check(&golden("golden_set_mean_error"), &mut problems);
        assert!(problems.contains_key("quality_control.configs.0.rules.0.conditions.0.key"));
    }

    #[test]
    fn rules_are_read_with_their_reach_and_time() {
        let rules = collectors(&golden("golden_set_mean_abs_error"));
        assert_eq!(rules[0].history, Some(10));
        let Action::Restrict { reach, ms, .. } = &rules[0].rules[0].action else {
            panic!("another action")
        };
        assert_eq!((*reach, *ms), (Reach::Project, Some(864_000_000)));
    }

    #[test]
    fn asking_others_for_the_votes_of_who_is_shut_out_is_a_rule_too() {
        let quality = json!({"configs": [{"collector_config": {"type": "USERS_ASSESSMENT"}, "rules": [{
            "conditions": [{"key": "pool_access_revoked_reason", "operator": "EQ", "value": "RESTRICTION"}],
            "action": {"type": "CHANGE_OVERLAP", "parameters": {"delta": 1, "open_pool": true}}}]}]});
        assert!(reopens(&quality) && !reopens(&golden("correct_answers_rate")));
    }

    #[test]
    fn a_collector_keeps_the_name_it_has() {
        let mut words = json!({ "quality_control": golden("correct_answers_rate") });
        let words = words.as_object_mut().unwrap();
        name_collectors(words);
        let first = words["quality_control"].clone();
        assert!(super::super::values::is_uuid(
            first["configs"][0]["collector_config"]["uuid"]
                .as_str()
                .unwrap()
        ));
        name_collectors(words);
        assert_eq!(words["quality_control"], first);
    }
}
