# One data set with everything that is hard at once, and R's answers for every estimator: what docs/does-it-match-r.md reports.
#
#   Rscript agreement.R [folder]
#
# writes data_agreement.csv (people), data_agreement_months.csv (person-months), answers_agreement.csv and
# versions_agreement.csv; answers carry 17 digits. Times are whole months with heavy ties; delayed entry, competing events, 50
# employers as clusters, three sites as strata, whole-number copies and weights that are not counts.

suppressPackageStartupMessages({
  library(survival)
  library(cmprsk)
  library(sandwich)
  library(metafor)
})

arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
z95 <- qnorm(0.975)

digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))
write_rows <- function(rows, name) {
  for (column in names(rows)) if (is.double(rows[[column]])) rows[[column]] <- digits(rows[[column]])
  write.csv(rows, file.path(folder, name), row.names = FALSE, quote = which(names(rows) %in% c("case", "by", "key")), na = "")
}

found <- list()
add <- function(estimator, case, by, key, estimate, std_error = NA, low = NA, high = NA, p = NA) {
  found[[length(found) + 1]] <<- data.frame(
    estimator = estimator, case = case, by = by, key = as.character(key), estimate = as.numeric(estimate),
    std_error = as.numeric(std_error), conf_low = as.numeric(low), conf_high = as.numeric(high), p_value = as.numeric(p),
    row.names = NULL)
}

# ---------------------------------------------------------------- data

set.seed(43)
n <- 400
people <- data.frame(
  person_id = seq_len(n),
  arm = rep(c("control", "ips"), n / 2),
  age = round(rnorm(n, 38, 10)),
  site = sample(c("bergen", "oslo", "tromso"), n, TRUE, c(0.3, 0.5, 0.2)),
  employer = sample(1:50, n, TRUE),
  copies = sample(1:3, n, TRUE),
  weight = round(exp(rnorm(n, 0, 0.5)), 3)
)
people$ips <- as.integer(people$arm == "ips")
shared <- rnorm(50, 0, 0.4)[people$employer]
people$entry <- ifelse(runif(n) < 0.5, 0L, sample(0:8, n, TRUE))
rate <- 0.045 * exp(0.5 * people$ips - 0.02 * (people$age - 38) + shared)
people$time <- as.integer(pmin(people$entry + 1 + floor(rexp(n, rate)), 43))
people$event <- ifelse(people$time == 43, 0L, sample(0:2, n, TRUE, c(0.25, 0.6, 0.15)))
people$job <- as.integer(people$event == 1)
people$works <- as.integer(runif(n) < plogis(-0.6 + 0.6 * people$ips - 0.03 * (people$age - 38) + shared))
people$income <- round(20 + 6 * people$works + 2 * people$ips + rnorm(n, 0, 5), 2)
write_rows(people, "data_agreement.csv")
copied <- people[rep(seq_len(n), people$copies), ]

months <- people[rep(seq_len(120), each = 12), c("person_id", "arm", "ips", "employer")]
months$month <- rep(1:12, 120)
level <- rep(rnorm(120, 0, 1.5), each = 12)
months$works <- as.integer(runif(nrow(months)) < plogis(-1 + 0.08 * months$month + 0.5 * months$ips + level))
write_rows(months, "data_agreement_months.csv")

# ---------------------------------------------------------------- Kaplan-Meier, Nelson-Aalen, quantiles

curve <- function(estimator, case, fit) {
  arms <- sub("arm=", "", names(fit$strata))
  who <- rep(arms, fit$strata)
  # errors are of the logarithm, but of the curve itself where they are robust
  error <- if (fit$logse) fit$surv * fit$std.err else fit$std.err
  add(estimator, case, "group, time", paste(who, fit$time), fit$surv, error, fit$lower, fit$upper)
}
for (type in c("log-log", "log", "plain")) {
  curve("kaplan_meier", paste("interval", type), survfit(Surv(time, job) ~ arm, people, conf.type = type))
}
curve("kaplan_meier", "entry", survfit(Surv(entry, time, job) ~ arm, people, conf.type = "log-log"))
curve("kaplan_meier", "copies", survfit(Surv(time, job) ~ arm, copied, conf.type = "log-log"))
curve("kaplan_meier", "copies, entry", survfit(Surv(entry, time, job) ~ arm, copied, conf.type = "log-log"))
curve("kaplan_meier", "weights", survfit(Surv(time, job) ~ arm, people, weights = weight, robust = TRUE, conf.type = "log-log"))
curve("kaplan_meier", "weights, entry",
      survfit(Surv(entry, time, job) ~ arm, people, weights = weight, id = person_id, robust = TRUE, conf.type = "log-log"))
curve("kaplan_meier", "cluster", survfit(Surv(time, job) ~ arm, people, cluster = employer, conf.type = "log-log"))
curve("kaplan_meier", "weights, cluster",
      survfit(Surv(time, job) ~ arm, people, weights = weight, cluster = employer, conf.type = "log-log"))

for (case in c("plain", "entry")) {
  fit <- if (case == "plain") survfit(Surv(time, job) ~ arm, people) else survfit(Surv(entry, time, job) ~ arm, people)
  who <- rep(sub("arm=", "", names(fit$strata)), fit$strata)
  add("nelson_aalen", case, "group, time", paste(who, fit$time), fit$cumhaz, fit$std.chaz)
}

wanted <- c(0.25, 0.5)
for (case in c("plain", "entry")) {
  fit <- if (case == "plain") survfit(Surv(time, job) ~ arm, people, conf.type = "log-log") else
    survfit(Surv(entry, time, job) ~ arm, people, conf.type = "log-log")
  q <- quantile(fit, wanted)
  for (arm in c("control", "ips")) {
    row <- paste0("arm=", arm)
    add("survival_quantiles", case, "group, probability", paste(arm, wanted), q$quantile[row, ], NA, q$lower[row, ], q$upper[row, ])
  }
}

# ---------------------------------------------------------------- cumulative incidence

incidence <- function(case, fit) {
  who <- rep(sub("arm=", "", names(fit$strata)), fit$strata)
  for (cause in 1:2) {
    state <- match(as.character(cause), fit$states)
    add("cumulative_incidence", paste0(case, ", cause ", cause), "group, time", paste(who, fit$time), fit$pstate[, state],
        fit$std.err[, state], fit$lower[, state], fit$upper[, state])
  }
}
ending <- function(rows) factor(rows$event, 0:2)
people$ending <- ending(people)
copied$ending <- ending(copied)
copied$row <- seq_len(nrow(copied))
incidence("plain", survfit(Surv(time, ending) ~ arm, people, conf.type = "log-log"))
incidence("entry", survfit(Surv(entry, time, ending) ~ arm, people, id = person_id, conf.type = "log-log"))
incidence("copies, entry", survfit(Surv(entry, time, ending) ~ arm, copied, id = row, conf.type = "log-log"))
incidence("weights", survfit(Surv(time, ending) ~ arm, people, weights = weight, id = person_id, conf.type = "log-log"))
incidence("weights, entry", survfit(Surv(entry, time, ending) ~ arm, people, weights = weight, id = person_id, conf.type = "log-log"))

# ---------------------------------------------------------------- tests

chi <- function(x, df) pchisq(x, df, lower.tail = FALSE)
three <- survdiff(Surv(time, job) ~ site, people)
add("log_rank", "three groups", "", "", three$chisq, p = chi(three$chisq, 2))
two <- survdiff(Surv(time, job) ~ arm, people)
add("log_rank", "two arms", "", "", two$chisq, p = chi(two$chisq, 1))
by_site <- survdiff(Surv(time, job) ~ arm + strata(site), people)
add("log_rank", "strata", "", "", by_site$chisq, p = chi(by_site$chisq, 1))
folded <- survdiff(Surv(time, job) ~ arm, copied)
add("log_rank", "copies", "", "", folded$chisq, p = chi(folded$chisq, 1))
gray <- cuminc(people$time, people$event, people$arm)$Tests
for (cause in 1:2) add("gray_test", paste("cause", cause), "", "", gray[as.character(cause), "stat"], p = gray[as.character(cause), "pv"])
gray <- cuminc(people$time, people$event, people$site)$Tests
add("gray_test", "three groups", "", "", gray["1", "stat"], p = gray["1", "pv"])

# ---------------------------------------------------------------- restricted means

restricted <- function(case, fit, horizon) {
  means <- summary(fit, rmean = horizon)$table
  m <- means[, "rmean"]
  s <- means[, "se(rmean)"]
  add("rmst", case, "measure, group", paste("rmst", c("control", "ips")), m, s)
  d <- m[2] - m[1]
  e <- sqrt(sum(s^2))
  add("rmst", case, "measure, group", "rmst_difference ", d, e, d - z95 * e, d + z95 * e, 2 * pnorm(-abs(d / e)))
  r <- m[2] / m[1]
  e <- sqrt(sum((s / m)^2))
  add("rmst", case, "measure, group", "rmst_ratio ", r, e, r * exp(-z95 * e), r * exp(z95 * e), 2 * pnorm(-abs(log(r) / e)))
}
restricted("month 12", survfit(Surv(time, job) ~ arm, people), 12)
restricted("month 36", survfit(Surv(time, job) ~ arm, people), 36)
restricted("entry", survfit(Surv(entry, time, job) ~ arm, people), 36)
restricted("copies", survfit(Surv(time, job) ~ arm, copied), 36)

# Area under the cumulative incidence: mean time in the state "1", its error from the influence of each person, added up.
area <- function(rows, horizon) {
  fit <- survfit(Surv(time, ending) ~ 1, rows, influence = TRUE)
  width <- diff(c(fit$time[fit$time < horizon], horizon))
  state <- match("1", fit$states)
  inside <- fit$time < horizon
  each <- if (length(dim(fit$influence.pstate)) == 3) fit$influence.pstate[, , state] else fit$influence.pstate
  if (ncol(each) == length(fit$time) + 1) each <- each[, -1]
  c(sum(fit$pstate[inside, state] * width), sqrt(sum((each[, inside] %*% width)^2)))
}
for (horizon in c(12, 36)) {
  control <- area(people[people$arm == "control", ], horizon)
  ips <- area(people[people$arm == "ips", ], horizon)
  case <- paste("month", horizon)
  add("months_gained", case, "measure, group", "mean control", control[1], control[2])
  add("months_gained", case, "measure, group", "mean ips", ips[1], ips[2])
  e <- sqrt(control[2]^2 + ips[2]^2)
  d <- ips[1] - control[1]
  add("months_gained", case, "measure, group", "mean_difference ", d, e, d - z95 * e, d + z95 * e, 2 * pnorm(-abs(d / e)))
}

# ---------------------------------------------------------------- Cox and Fine-Gray

model <- function(estimator, case, fit, terms) {
  b <- coef(fit)
  s <- sqrt(diag(vcov(fit)))
  add(estimator, case, "term", terms, exp(b), s, exp(b - z95 * s), exp(b + z95 * s), 2 * pnorm(-abs(b / s)))
}
both <- c("ips", "age")
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
model("cox", "efron", coxph(Surv(time, job) ~ ips + age, people, control = tight), both)
model("cox", "breslow", coxph(Surv(time, job) ~ ips + age, people, ties = "breslow", control = tight), both)
model("cox", "entry", coxph(Surv(entry, time, job) ~ ips + age, people, control = tight), both)
model("cox", "strata", coxph(Surv(time, job) ~ ips + age + strata(site), people, control = tight), both)
model("cox", "cluster", coxph(Surv(time, job) ~ ips + age, people, cluster = employer, control = tight), both)
model("cox", "cluster, entry, strata", coxph(Surv(entry, time, job) ~ ips + age + strata(site), people, cluster = employer, control = tight), both)
model("cox", "cluster, breslow", coxph(Surv(time, job) ~ ips + age, people, cluster = employer, ties = "breslow", control = tight), both)
model("cox", "copies", coxph(Surv(time, job) ~ ips + age, copied, control = tight), both)
model("cox", "weights", coxph(Surv(time, job) ~ ips + age, people, weights = weight, robust = TRUE, control = tight), both)
model("cox", "weights, entry, cluster", coxph(Surv(entry, time, job) ~ ips + age, people, weights = weight, cluster = employer, control = tight), both)
model("cox", "interaction", coxph(Surv(time, job) ~ ips * age, people, control = tight), c("ips", "age", "ips:age"))
model("cox", "other cause", coxph(Surv(time, event == 2) ~ ips + age, people, control = tight), both)

z <- cox.zph(coxph(Surv(time, job) ~ ips + age, people), transform = "km")$table
add("proportional_hazards_test", "km", "term", c("ips", "age", "GLOBAL"), z[, "chisq"], p = z[, "p"])

gray <- crr(people$time, people$event, as.matrix(people[both]), gtol = 1e-14, maxiter = 100)
s <- sqrt(diag(gray$var))
add("fine_gray", "cmprsk::crr", "term", both, exp(gray$coef), s, exp(gray$coef - z95 * s), exp(gray$coef + z95 * s),
    2 * pnorm(-abs(gray$coef / s)))
expanded <- finegray(Surv(time, ending) ~ ., people, etype = "1", id = person_id)
for (ties in c("efron", "breslow")) {
  fit <- coxph(Surv(fgstart, fgstop, fgstatus) ~ ips + age, expanded, weights = fgwt, cluster = person_id, ties = ties,
               control = tight)
  model("fine_gray", paste("survival::finegray", ties), fit, both)
}

# ---------------------------------------------------------------- rates and comparisons

for (arm in c("control", "ips")) {
  y <- people$works[people$arm == arm]
  w <- prop.test(sum(y), length(y), correct = FALSE)
  add("employment_rates", "wilson", "group", arm, mean(y), NA, w$conf.int[1], w$conf.int[2])
  b <- binom.test(sum(y), length(y))
  add("employment_rates", "clopper-pearson", "group", arm, mean(y), NA, b$conf.int[1], b$conf.int[2])
}
e <- tapply(people$works, people$ips, sum)
m <- tapply(people$works, people$ips, length)
w0 <- prop.test(e[[1]], m[[1]], correct = FALSE)$conf.int
w1 <- prop.test(e[[2]], m[[2]], correct = FALSE)$conf.int
p0 <- e[[1]] / m[[1]]
p1 <- e[[2]] / m[[2]]
p <- prop.test(rev(e), rev(m), correct = FALSE)$p.value
d <- p1 - p0
add("compare_arms", "plain", "measure", "risk_difference", d, sqrt(p1 * (1 - p1) / m[[2]] + p0 * (1 - p0) / m[[1]]),
    d - sqrt((p1 - w1[1])^2 + (w0[2] - p0)^2), d + sqrt((w1[2] - p1)^2 + (p0 - w0[1])^2), p)
for (measure in c("RR", "OR")) {
  x <- escalc(measure, ai = e[[2]], n1i = m[[2]], ci = e[[1]], n2i = m[[1]])
  s <- sqrt(x$vi)
  add("compare_arms", "plain", "measure", c(RR = "risk_ratio", OR = "odds_ratio")[[measure]], exp(as.numeric(x$yi)), s,
      exp(x$yi - z95 * s), exp(x$yi + z95 * s), p)
}
# g-computation over everybody, covariates held as they are, errors by the delta method
fit <- glm(works ~ ips + age + site, binomial, people, control = glm.control(epsilon = 1e-14, maxit = 100))
design <- model.matrix(fit)
standard <- function(a) { x <- design; x[, "ips"] <- a; q <- plogis(drop(x %*% coef(fit))); list(mean(q), colMeans(q * (1 - q) * x)) }
one <- standard(1)
zero <- standard(0)
g <- one[[2]] - zero[[2]]
d <- one[[1]] - zero[[1]]
s <- sqrt(drop(g %*% vcov(fit) %*% g))
add("compare_arms", "adjusted", "measure", "risk_difference", d, s, d - z95 * s, d + z95 * s, 2 * pnorm(-abs(d / s)))

# ---------------------------------------------------------------- months

total <- tapply(months$works, months$person_id, sum)
group <- people$arm[as.integer(names(total))]
welch <- t.test(total[group == "ips"], total[group == "control"])
add("months_in_work", "plain", "measure, group", c("months_in_work control", "months_in_work ips"),
    c(mean(total[group == "control"]), mean(total[group == "ips"])),
    c(sd(total[group == "control"]) / sqrt(sum(group == "control")), sd(total[group == "ips"]) / sqrt(sum(group == "ips"))))
add("months_in_work", "plain", "measure, group", "months_in_work_difference ", mean(total[group == "ips"]) - mean(total[group == "control"]), welch$stderr)
rates <- aggregate(works ~ arm + month, months, mean)
for (month in c(1, 6, 12)) {
  now <- months[months$month == month, ]
  q <- tapply(now$works, now$arm, mean)
  k <- tapply(now$works, now$arm, length)
  add("employment_curves", "plain", "measure, group, month", paste("rate", names(q), month), q, sqrt(q * (1 - q) / k))
  add("employment_curves", "plain", "measure, group, month", paste("risk_difference ", month), q[["ips"]] - q[["control"]], sqrt(sum(q * (1 - q) / k)))
}
for (arm in c("control", "ips")) {
  part <- months[months$arm == arm & months$month >= 4, ]
  fit <- lm(works ~ I(month / 12), part)
  s <- sqrt(diag(vcovCL(fit, part$person_id, type = "HC0", cadjust = FALSE)))[2]
  add("trends", "CR0", "measure, group", paste("slope", arm), coef(fit)[2], s)
}

write_rows(do.call(rbind, found), "answers_agreement.csv")
packages <- c("survival", "cmprsk", "sandwich", "metafor")
write_rows(data.frame(name = c("R", packages), version = c(as.character(getRversion()),
  vapply(packages, function(p) as.character(packageVersion(p)), ""))), "versions_agreement.csv")
